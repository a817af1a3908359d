/**
 * Time and chance, which this package takes from whoever uses it and never from the runtime: a client and a server can
 * then live on a time of their own and from a seed.
 */
export interface Clock {
  /** Milliseconds since 1970, only to be shown to people: it leaps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since some moment; it never goes back. */
  monotonicMs(): number;
  /** Calls `work` once, after `ms` milliseconds. Returns what calls that off. */
  after(ms: number, work: () => void): () => void;
  /** The same as `after` for work that must not keep the process alive. */
  afterIdly(ms: number, work: () => void): () => void;
  /** A random number, uniform in [0, 1). */
  random(): number;
  /** Random bytes that nobody can guess. */
  randomBytes(count: number): Uint8Array;
}
