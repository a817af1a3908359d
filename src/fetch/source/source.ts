import type { Clock } from "../../support/clock.ts";
import type { Trust } from "../../support/trust.ts";

/*
 * Where the bytes of builds come from. Each kind of source is one file in this directory and one line in `download.ts`. A
 * source delivers bytes and says what they are; what happens to them is only the pump's work.
 */

export interface Source {
  /**
   * Requests a build's bytes once.
   *
   * @param url of a scheme that this source handles; the host's policy allows it
   * @param signal aborted when nobody waits for the bytes any more; it ends everything that is still open
   * @returns null if the source has no bytes from that offset on
   * @throws DeployError `fetch-failed` (`retryAfterMs` if the source asks for that pause before a retry),
   *   `policy-refused`; whatever else it or its byte stream throws is passed to `explain`
   */
  open(url: URL, from: Beginning, signal: AbortSignal): Promise<Answer | null>;
  /** @param soFar the progress, such as `after 5 of 10 bytes`, to put in the sentence */
  explain(error: unknown, soFar: string): Promise<SourceFailure>;
}

/** The bytes that are already there when a source is asked for more. */
export interface Beginning {
  /** How many bytes there are; the source is asked for those that follow. */
  readonly length: number;
  /**
   * The validator (ETag or date) by which the source recognizes what the bytes are part of; null if it gave none, or
   * there are no bytes.
   */
  readonly validator: string | null;
}

/** What a source delivers. It need not be the build, nor come from the source: the pump does not trust it. */
export interface Answer extends AsyncDisposable {
  /** The final URL, after redirects. */
  readonly url: URL;
  /** All bytes, those that follow the beginning, or a part that was not requested. */
  readonly brings: "the whole" | "the rest" | "another part";
  /** Size of the whole, in bytes; null if the source does not say. */
  readonly size: number | null;
  /** Whether more bytes may be added to the content, as in a file that is still being written. */
  readonly mayGrow: boolean;
  /** Tells this content from any other; null if the source gives nothing that does so reliably. */
  readonly validator: string | null;
  /** The content coding that somebody on the way applied, as in `, encoded as gzip`; "" for none. */
  readonly coding: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Why a source delivered nothing, or not everything. */
export interface SourceFailure {
  /** Follows "Cannot fetch <url>: "; it has no full stop and no secret part of a URL. */
  readonly why: string;
  readonly hint: string;
  /** Whether it may be transient. */
  readonly retry: boolean;
}

/** What a source may use. */
export interface SourceContext {
  /**
   * Prefixes of allowed URLs, from the host's own configuration; an empty list allows every source. Redirects are checked
   * too.
   */
  readonly sources: readonly string[];
  /** Headers by which this host logs in at a URL: called for the URL itself and for each that it redirects to. */
  readonly loginAt: (url: URL) => Promise<readonly (readonly [name: string, value: string])[]>;
  readonly clock: Clock;
  readonly trust: Trust;
  /**
   * Waits for one step of the network; rejects if no byte arrives for too long, and as soon as the signal is aborted.
   * Waiting for anything else (a slow disk) must not use it.
   */
  readonly waitFor: <T>(step: () => Promise<T>) => Promise<T>;
}

export type SourceKind = (context: SourceContext) => Source;
