import { z } from "zod";
import { digest } from "./names.ts";

/** `<root>/builds/<build>.json`: where a release came from, and how far it is. */
export const releaseRecordSchema = z.object({ digest, installed: z.boolean() });
export type ReleaseRecord = z.output<typeof releaseRecordSchema>;
