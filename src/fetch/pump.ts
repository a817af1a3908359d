import { DeployError } from "../core/errors.ts";
import { abortedError } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import { fetchFailed, GOES_ON, otherLength } from "./fetch_error.ts";
import { IdleGuard } from "./idle_guard.ts";
import { shownUrl } from "./source/policy.ts";
import type { Answer, Source, SourceContext } from "./source/source.ts";

/**
 * The file that a download is written to. Its content from an earlier attempt is taken for the beginning of the same
 * download, as far as the source confirms it. The digest is not computed while downloading: the verify step reads the
 * file from the disk, because other attempts, and other agents before this one, have written to it too.
 */
export interface Spool extends AsyncDisposable {
  readonly length: number;
  /**
   * The validator (ETag or date) by which the source recognizes what the bytes are part of; null if it gave none, or
   * there are no bytes.
   */
  readonly validator: string | null;
  /** Discards all bytes. */
  restart(): Promise<void>;
  /** Records where the bytes that follow come from. Before "the whole", all other bytes are discarded. */
  begin(brings: "the whole" | "the rest", validator: string | null): Promise<void>;
  /** @throws DeployError `disk-full` */
  append(bytes: Uint8Array): Promise<void>;
  /** Flushes all bytes to the disk (fsync). */
  flush(): Promise<void>;
}

export interface Transfer {
  readonly url: URL;
  /** Size of the whole, in bytes. */
  readonly size: number;
  readonly spool: Spool;
  readonly sourceWith: (waitFor: SourceContext["waitFor"]) => Source;
  readonly idleTimeoutMs: number;
  /** Called after each part with the bytes so far. */
  readonly onProgress: (bytesSoFar: number) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Copies a build's bytes from its source to the spool, and resumes where an earlier attempt ended. It does not trust the
 * source: an answer that cannot be the build is refused before its first byte is stored.
 */
export async function pump(transfer: Transfer): Promise<void> {
  const { url, size, spool } = transfer;
  // More bytes than the build has cannot be the build.
  if (spool.length > size) await spool.restart();
  if (spool.length < size && !(await attempt(transfer))) {
    // The spool's content is not the beginning of what the source has.
    await spool.restart();
    if (!(await attempt(transfer))) {
      throw fetchFailed(url, "the source has nothing from its first byte on", {
        retry: false,
        hint: "Look at the server.",
      });
    }
  }
  if (spool.length < size) {
    throw fetchFailed(url, `got ${spool.length} of ${size} bytes`, {
      retry: true,
      hint: "The next attempt goes on where this one ended.",
    });
  }
  await spool.flush();
}

/** Makes one request. False if the source has nothing from that offset on. */
async function attempt(transfer: Transfer): Promise<boolean> {
  const { url, spool, signal, clock } = transfer;
  using idle = new IdleGuard(transfer.idleTimeoutMs, signal, clock);
  const source = transfer.sourceWith((step) => idle.during(step));
  try {
    const { length, validator } = spool;
    await using answer = await source.open(url, { length, validator }, idle.signal);
    if (answer === null) return false;
    await begin(transfer, answer);
    await receive(transfer, answer);
    return true;
  } catch (error) {
    if (error instanceof DeployError) throw error;
    throw await explain(transfer, error, source, idle);
  }
}

/** Positions the spool where the answer begins. */
async function begin({ spool, size }: Transfer, answer: Answer): Promise<void> {
  const { url, brings, validator } = answer;
  const again = { retry: true, hint: "The next attempt starts from the first byte." };
  if (brings === "another part") {
    await spool.restart();
    throw fetchFailed(url, "the server sent another range than the one asked for", again);
  }
  if (answer.size !== null && (answer.mayGrow ? answer.size > size : answer.size !== size)) {
    // If the answer is a whole file, the spool is kept: it may hold the build, and the answer something else.
    if (brings === "the rest") await spool.restart();
    throw otherLength(url, size, `it has ${answer.size}${answer.coding}`);
  }
  if (brings === "the whole" || spool.length === 0) return spool.begin("the whole", validator);
  if (spool.validator !== null && validator !== null && validator !== spool.validator) {
    await spool.restart();
    throw fetchFailed(url, "what is stored there has changed since its beginning was fetched", again);
  }
  return spool.begin("the rest", validator);
}

async function receive({ spool, size, onProgress }: Transfer, answer: Answer): Promise<void> {
  for await (const part of answer.bytes) {
    if (spool.length + part.length > size) {
      // None of it can be the build, so the next attempt must not resume from here.
      await spool.restart();
      throw otherLength(answer.url, size, "it has more");
    }
    await spool.append(part);
    onProgress(spool.length);
  }
  // An answer without a length that ended by itself was complete: if it is shorter, it is not the beginning of the build.
  if (spool.length === size || answer.brings !== "the whole" || answer.size !== null) return;
  const got = spool.length;
  await spool.restart();
  throw otherLength(answer.url, size, `the answer ended after ${got}${answer.coding}`);
}

async function explain(
  { url, size, spool, signal, idleTimeoutMs }: Transfer,
  error: unknown,
  source: Source,
  idle: IdleGuard,
): Promise<DeployError> {
  if (signal.aborted) return abortedError(`fetch ${shownUrl(url)}`, signal);
  const soFar = `after ${spool.length} of ${size} bytes`;
  if (idle.timedOut) {
    return fetchFailed(url, `no byte came for ${idleTimeoutMs} ms, ${soFar}`, { retry: true, hint: GOES_ON });
  }
  const { why, hint, retry } = await source.explain(error, soFar);
  return fetchFailed(url, why, { hint, retry });
}
