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

/** By the scheme of a URL. */
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
   * The file to write. A shorter file that exists is taken for the beginning of this download and continued when the
   * server can send a range; delete it when its digest turned out wrong.
   */
  into: string;
  /** Bytes of the whole; more is refused at once, fewer is a download that was cut and may be tried again. */
  size: number;
  /** Prefixes of allowed URLs, from the host's own configuration; none at all allows every source. Each redirect too. */
  sources: readonly string[];
  /** Headers by which this host logs in at a URL: asked for the URL itself and for each that it redirects to. */
  loginAt?: SourceContext["loginAt"];
  /** The download fails when no byte came for so long. Default 30,000. There is no limit on the whole. */
  idleTimeoutMs?: number;
  /** Is called after each part with the bytes so far, those of an earlier attempt included. */
  onProgress?: (bytesSoFar: number) => void;
  signal: AbortSignal;
}

/** On what a download runs: the rehearsal has sources and a disk of its own. */
export interface DownloadHost {
  readonly clock: Clock;
  readonly trust: Trust;
  readonly kinds?: Readonly<Record<string, SourceKind>>;
  readonly openSpool?: (path: string) => Promise<Spool>;
}

/**
 * Brings a build's bytes to this host, and on the disk (fsync). Verifying them is the next step's work.
 *
 * @throws DeployError `fetch-failed` (`retry` when it may pass by itself), `policy-refused`, `disk-full`, `aborted`
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
