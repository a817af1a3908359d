import { constants } from "node:fs";
import { open, readlink } from "node:fs/promises";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import type { Trust } from "../support/trust.ts";
import { systemCode } from "./disk_error.ts";
import { fetchFailed } from "./fetch_error.ts";
import { downloadHttp } from "./source/http.ts";
import { abortedError } from "../support/pace.ts";
import { printable } from "./printable.ts";
import { refusedSource, requireAllowedFile, requireAllowedSource, shownUrl } from "./source/policy.ts";
import { otherLength, Spool } from "./spool.ts";

const IDLE_TIMEOUT_MS = 30_000;
/** What a file system says whose server is away. */
const PASSING = new Set(["EIO", "ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "EREMOTEIO"]);
const COPY_BYTES = 512 * 1024;

export interface FetchRequest {
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
  loginAt?: (url: URL) => Promise<readonly (readonly [name: string, value: string])[]>;
  /** The download fails when no byte came for so long. Default 30,000. There is no limit on the whole. */
  idleTimeoutMs?: number;
  /** Is called after each part with the bytes so far, those of an earlier attempt included. */
  onProgress?: (bytesSoFar: number) => void;
  signal: AbortSignal;
}

/**
 * Brings a build's bytes to this host, and on the disk (fsync). Verifying them is the next step's work.
 *
 * @throws DeployError `fetch-failed` (`retry` when it may pass by itself), `policy-refused`, `disk-full`, `aborted`
 */
export async function fetchToFile(
  request: FetchRequest,
  { clock, trust }: { readonly clock: Clock; readonly trust: Trust },
): Promise<void> {
  const url = URL.parse(request.url);
  if (url === null) {
    throw new DeployError("Cannot fetch the build: its URL cannot be read.", {
      code: "fetch-failed",
      hint: "Register the build with an https://, http:// or file:/// URL.",
    });
  }
  requireAllowedSource(url, request.sources);
  if (request.signal.aborted) throw abortedError(`Cannot fetch ${shownUrl(url)}`, request.signal);
  switch (url.protocol) {
    case "https:":
    case "http:":
    case "file:":
      break;
    default:
      throw refusedSource(url, `only https, http and file URLs can be fetched, not "${printable(url.protocol)}"`);
  }
  await using spool = await Spool.open(request.into, url, request.size);
  const onProgress = request.onProgress ?? (() => undefined);
  if (!spool.isComplete) {
    if (url.protocol === "file:") await copyFile(url, request, spool, onProgress);
    else {
      const idleTimeoutMs = request.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
      const { size, sources, signal } = request;
      const loginAt = request.loginAt ?? (() => Promise.resolve([]));
      await downloadHttp({ url, spool, size, sources, loginAt, idleTimeoutMs, onProgress, signal, clock, trust });
    }
  }
  await spool.finish();
}

async function copyFile(
  url: URL,
  request: FetchRequest,
  spool: Spool,
  onProgress: (bytesSoFar: number) => void,
): Promise<void> {
  try {
    // Not blocking, so that a fifo in the file's place cannot hold the agent.
    const path = await requireAllowedFile(url, request.sources);
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    // Whoever may write there could have put a link in the place of a directory since.
    if ((await readlink(`/proc/self/fd/${file.fd}`)) !== path) {
      throw refusedSource(url, `it is another file than ${printable(path)}, at which it was looked`);
    }
    const found = await file.stat();
    if (!found.isFile()) throw fetchFailed(url, "it is not a regular file", { retry: false, hint: "Fix the URL." });
    if (found.size > request.size) throw otherLength(url, request.size, `the file has ${found.size}`);
    await spool.begin("the start", null);
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (;;) {
      if (request.signal.aborted) throw abortedError(`Cannot fetch ${shownUrl(url)}`, request.signal);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, spool.length);
      if (bytesRead === 0) return;
      await spool.append(buffer.subarray(0, bytesRead));
      onProgress(spool.length);
    }
  } catch (error) {
    if (error instanceof DeployError) throw error;
    const code = systemCode(error);
    throw fetchFailed(url, `the file cannot be read (${code === "" ? "wrong file URL" : code})`, {
      retry: PASSING.has(code),
      hint: "Look whether it is there, and whether the agent's user may read it.",
    });
  }
}
