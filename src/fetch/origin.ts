import type { DownloadOrigin } from "../schema/download_origin.ts";

/*
 * What the bytes of a download are from, as it is noted in a file beside them before they are stored (docs/adr/0024). Several
 * answers may be of several files, and then only the digest tells.
 */

/** The file beside a download that says what its bytes are from. */
export function originPath(spool: string): string {
  return `${spool}.origin`;
}

/** After one answer more. */
export function withAnswer(
  origin: DownloadOrigin,
  brings: "the whole" | "the rest",
  validator: string | null,
): DownloadOrigin {
  const { isAnew } = origin;
  if (brings === "the whole") return { answers: 1, validator, isAnew };
  return { answers: origin.answers + 1, validator: validator ?? origin.validator, isAnew };
}

/**
 * What to note when the bytes have another digest than their build and are fetched anew: once, and only when they were put
 * together of several answers. Null when that is no use: what one answer gave is what is stored there.
 */
export function fetchedAnew({ answers, isAnew }: DownloadOrigin): DownloadOrigin | null {
  return answers < 2 || isAnew ? null : { answers: 0, validator: null, isAnew: true };
}
