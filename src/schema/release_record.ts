import { z } from "zod";
import { digest } from "./names.ts";

/** `<root>/builds/<build>.json`: where a release came from, and how far its preparation is. */
export const releaseRecordSchema = z.object({
  digest,
  installed: z.boolean(),
  /** Whether the build contains a recipe, which then lies beside this record. Missing in records of older deployds. */
  recipe: z.enum(["brought", "none"]).optional(),
});
export type ReleaseRecord = z.output<typeof releaseRecordSchema>;
