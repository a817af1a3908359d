import { z } from "zod";
import { digest } from "./names.ts";

/** `<root>/builds/<build>.json`: where a release came from, and how far it is. */
export const releaseRecordSchema = z.object({
  digest,
  installed: z.boolean(),
  /** Whether it brings a recipe, which lies beside this record then. Not told of what a former deployd unpacked. */
  recipe: z.enum(["brought", "none"]).optional(),
});
export type ReleaseRecord = z.output<typeof releaseRecordSchema>;
