import { z } from "zod";

/** What the bytes of a download are from, as it stands in a file beside them. */
const downloadOriginSchema = z.looseObject({
  /** How many answers they were put together of. */
  answers: z.int().min(0),
  /** By which the server knows the content again that the first of them was part of (RFC 9110, 13.1.5 If-Range). */
  validator: z.string().nullable(),
  /** They were put together of several once before, and those had another digest than the build. */
  isAnew: z.boolean(),
});
export type DownloadOrigin = z.output<typeof downloadOriginSchema>;

/** Of a file that nobody has written down anything about, or half of it. */
const UNKNOWN_ORIGIN: DownloadOrigin = { answers: 2, validator: null, isAnew: false };

export function parseDownloadOrigin(text: string | null): DownloadOrigin {
  try {
    return downloadOriginSchema.parse(JSON.parse(text ?? ""));
  } catch {
    return UNKNOWN_ORIGIN;
  }
}
