import type { Clock } from "../../support/clock.ts";
import type { Trust } from "../../support/trust.ts";

/*
 * Where the bytes of builds come from. Each kind of source is one file in this directory and one line in `download.ts`.
 * A source gives bytes and says what they are; what becomes of them is the pump's work alone.
 */

export interface Source {
  /**
   * Asks once for a build's bytes.
   *
   * @param url of a scheme that is this source's; the host's policy allows it
   * @param signal is aborted when nobody waits for the bytes any more, and ends all that is still open
   * @returns null when the source has no bytes from there on
   * @throws DeployError `fetch-failed` (`retryAfterMs` when the source asks to be left alone for so long), `policy-refused`;
   *   whatever else it throws, or its bytes do, is given to `explain`
   */
  open(url: URL, from: Beginning, signal: AbortSignal): Promise<Answer | null>;
  /** @param soFar `after 5 of 10 bytes`, for the sentence */
  explain(error: unknown, soFar: string): Promise<SourceFailure>;
}

/** What is there already of the bytes that a source is asked for. */
export interface Beginning {
  /** How many there are; the source is asked for those that follow. */
  readonly length: number;
  /** By which the source that gave them knows again what they are part of; null when it said nothing, or there are none. */
  readonly validator: string | null;
}

/** What a source gives. It need not be the build, nor from the source: the pump believes nothing of it. */
export interface Answer extends AsyncDisposable {
  /** Where it is from in the end, as redirects lead elsewhere. */
  readonly url: URL;
  /** All bytes, those that follow the beginning, or others than were asked for. */
  readonly brings: "the whole" | "the rest" | "another part";
  /** How many bytes there are in all; null when the source does not say. */
  readonly size: number | null;
  /** Whether more bytes may come there, as in a file that somebody still writes. */
  readonly mayGrow: boolean;
  /** Tells this content from any other; null when the source gives nothing that does so for sure. */
  readonly validator: string | null;
  /** What somebody on the way has made of the bytes, as in `, encoded as gzip`; "" for nothing. */
  readonly coding: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Why a source gave nothing, or not all. */
export interface SourceFailure {
  /** Follows "Cannot fetch <url>: ", without a full stop and without what is secret in a URL. */
  readonly why: string;
  readonly hint: string;
  /** Whether it may pass by itself. */
  readonly retry: boolean;
}

/** What a source may use. */
export interface SourceContext {
  /** Prefixes of allowed URLs, from the host's own configuration; none at all allows every source. Each redirect too. */
  readonly sources: readonly string[];
  /** Headers by which this host logs in at a URL: asked for the URL itself and for each that it redirects to. */
  readonly loginAt: (url: URL) => Promise<readonly (readonly [name: string, value: string])[]>;
  readonly clock: Clock;
  readonly trust: Trust;
  /**
   * Waits for one step of the network; rejects when no byte came for too long, and as soon as the signal is aborted. What
   * is not the network's (a slow disk) is waited for without it.
   */
  readonly waitFor: <T>(step: () => Promise<T>) => Promise<T>;
}

export type SourceKind = (context: SourceContext) => Source;
