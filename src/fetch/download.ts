import { DeployError } from "../core/errors.ts";
import { throwIfAborted } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import type { Trust } from "../support/trust.ts";
import { printable } from "../support/printable.ts";
import { pump, type Spool } from "./pump.ts";
import { fileSource } from "./source/file.ts";
import { httpSource } from "./source/http.ts";
import { refusedSource, requireAllowedSource, shownUrl } from "./source/policy.ts";
import type { SourceContext, SourceKind } from "./source/source.ts";
import { FileSpool } from "./spool.ts";

/** The kind of source for each URL scheme. */
const KINDS: Readonly<Record<string, SourceKind>> = {
  "https:": httpSource,
  "http:": httpSource,
  "file:": fileSource,
};

const IDLE_TIMEOUT_MS = 30_000;

export interface DownloadRequest {
  /** `https://`, `http://` or `file:///an/absolute/path`. */
  url: string;
  /**
   * The file to write. A shorter file that exists is taken for the beginning of this download and continued if the server
   * supports ranges; delete it if its digest turned out wrong.
   */
  into: string;
  /**
   * Size of the whole in bytes. More bytes are refused at once; fewer mean that the download was cut off and may be
   * retried.
   */
  size: number;
  /**
   * Prefixes of allowed URLs, from the host's own configuration; an empty list allows every source. Redirects are checked
   * too.
   */
  sources: readonly string[];
  /** Headers by which this host logs in at a URL: called for the URL itself and for each that it redirects to. */
  loginAt?: SourceContext["loginAt"];
  /**
   * The download fails if no byte arrives for this long, in milliseconds. Default 30,000. The whole download has no time
   * limit.
   */
  idleTimeoutMs?: number;
  /** Called after each part with the bytes so far, including those of an earlier attempt. */
  onProgress?: (bytesSoFar: number) => void;
  signal: AbortSignal;
}

/** What a download needs of its host; the rehearsal supplies sources and a disk of its own. */
export interface DownloadHost {
  readonly clock: Clock;
  readonly trust: Trust;
  readonly kinds?: Readonly<Record<string, SourceKind>>;
  readonly openSpool?: (path: string) => Promise<Spool>;
}

/**
 * Downloads a build to this host and flushes it to the disk (fsync). Verifying it is the next step's work.
 *
 * @throws DeployError `fetch-failed` (with `retry` if it may be transient), `policy-refused`, `disk-full`, `aborted`
 */
export async function download(
  request: DownloadRequest,
  { clock, trust, kinds = KINDS, openSpool = (path) => FileSpool.open(path) }: DownloadHost,
): Promise<void> {
  const { into, size, sources, idleTimeoutMs = IDLE_TIMEOUT_MS, signal } = request;
  const url = URL.parse(request.url);
  if (url === null) {
    throw new DeployError("Cannot fetch the build: its URL cannot be read.", {
      code: "fetch-failed",
      hint: "Register the build with an https://, http:// or file:/// URL.",
    });
  }
  requireAllowedSource(url, sources);
  throwIfAborted(signal, `fetch ${shownUrl(url)}`);
  const kind = kinds[url.protocol];
  if (kind === undefined) {
    const known = Object.keys(kinds).join(", ");
    throw refusedSource(url, `nothing can be fetched by "${printable(url.protocol)}", only by ${known}`);
  }
  const { loginAt = () => Promise.resolve([]), onProgress = () => undefined } = request;
  await using spool = await openSpool(into);
  const sourceWith = (waitFor: SourceContext["waitFor"]) => kind({ sources, loginAt, clock, trust, waitFor });
  await pump({ url, size, spool, sourceWith, idleTimeoutMs, onProgress, signal, clock });
}
