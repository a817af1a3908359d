import { DeployError } from "../core/errors.ts";
import { abortedError } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import { fetchFailed, GOES_ON, otherLength } from "./fetch_error.ts";
import { IdleGuard } from "./idle_guard.ts";
import { shownUrl } from "./source/policy.ts";
import type { Answer, Source, SourceContext } from "./source/source.ts";

/**
 * The file that a download is written to. What an earlier attempt left in it is taken for the beginning of the same download,
 * as far as the source confirms it. The digest is not taken on the way: the verify step reads what stands on the disk, which
 * other attempts, and other agents before this one, have written too.
 */
export interface Spool extends AsyncDisposable {
  readonly length: number;
  /** By which the source knows again what the bytes are part of; null when it gave nothing, or there are none. */
  readonly validator: string | null;
  /** Forgets all bytes. */
  restart(): Promise<void>;
  /** Notes what the bytes that follow are from; before the whole all others are forgotten. */
  begin(brings: "the whole" | "the rest", validator: string | null): Promise<void>;
  /** @throws DeployError `disk-full` */
  append(bytes: Uint8Array): Promise<void>;
  /** Brings all bytes to the disk itself. */
  flush(): Promise<void>;
}

export interface Transfer {
  readonly url: URL;
  /** Bytes of the whole. */
  readonly size: number;
  readonly spool: Spool;
  readonly sourceWith: (waitFor: SourceContext["waitFor"]) => Source;
  readonly idleTimeoutMs: number;
  /** Is called after each part with the bytes so far. */
  readonly onProgress: (bytesSoFar: number) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Moves a build's bytes from its source to the spool, from where an earlier attempt ended, and believes nothing of what it
 * is given: an answer that cannot be the build is refused before its first byte.
 */
export async function pump(transfer: Transfer): Promise<void> {
  const { url, size, spool } = transfer;
  // Longer than the build can only be something else.
  if (spool.length > size) await spool.restart();
  if (spool.length < size && !(await attempt(transfer))) {
    // What the spool holds is not the beginning of what is stored there.
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

/** One answer. False when the source has nothing from there on. */
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

/** Makes the spool end where the answer begins. */
async function begin({ spool, size }: Transfer, answer: Answer): Promise<void> {
  const { url, brings, validator } = answer;
  const again = { retry: true, hint: "The next attempt begins anew." };
  if (brings === "another part") {
    await spool.restart();
    throw fetchFailed(url, "the server sent another range than the one asked for", again);
  }
  if (answer.size !== null && (answer.mayGrow ? answer.size > size : answer.size !== size)) {
    // Before a whole the spool is kept: it may be the build's, when this is from somebody else.
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
      // Nothing of it can be the build, so the next attempt must not go on from here.
      await spool.restart();
      throw otherLength(answer.url, size, "it has more");
    }
    await spool.append(part);
    onProgress(spool.length);
  }
  // An answer without a length that has ended by itself was whole: a shorter one is no beginning of the build.
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
