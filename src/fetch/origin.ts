import type { DownloadOrigin } from "../schema/download_origin.ts";

/*
 * Where the bytes of a download came from, recorded in a file beside them before they are stored (docs/adr/0024). Several
 * answers may belong to different files, and then only the digest can tell.
 */

/** The path of the file that records where a download's bytes came from. */
export function originPath(spool: string): string {
  return `${spool}.origin`;
}

/** The origin after one more answer. */
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
 * The origin to record when the bytes do not have the build's digest and are fetched again: only once, and only if they
 * were put together from several answers. Null if fetching again is useless, because a single answer gave exactly what
 * the source has.
 */
export function fetchedAnew({ answers, isAnew }: DownloadOrigin): DownloadOrigin | null {
  return answers < 2 || isAnew ? null : { answers: 0, validator: null, isAnew: true };
}
