import { z } from "zod";

/** Where the bytes of a download come from, as recorded in a file beside them. */
const downloadOriginSchema = z.looseObject({
  /** From how many HTTP responses they were put together. */
  answers: z.int().min(0),
  /**
   * The validator by which the server recognises the content that the first response was part of (RFC 9110, 13.1.5
   * If-Range).
   */
  validator: z.string().nullable(),
  /**
   * This is the second download: an earlier one was put together from several responses, and its digest was not the
   * build's.
   */
  isAnew: z.boolean(),
});
export type DownloadOrigin = z.output<typeof downloadOriginSchema>;

/** Assumed for a file whose origin was not recorded, or only half. */
const UNKNOWN_ORIGIN: DownloadOrigin = { answers: 2, validator: null, isAnew: false };

export function parseDownloadOrigin(text: string | null): DownloadOrigin {
  try {
    return downloadOriginSchema.parse(JSON.parse(text ?? ""));
  } catch {
    return UNKNOWN_ORIGIN;
  }
}
