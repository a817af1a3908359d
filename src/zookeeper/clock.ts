/**
 * Time and randomness. This package takes both from its caller and never from the runtime, so that a client and a server
 * can run on a simulated clock and from a seed.
 */
export interface Clock {
  /** Milliseconds since 1970, only to be shown to people: it jumps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since an arbitrary moment; it never goes back. */
  monotonicMs(): number;
  /** Calls `work` once, after `ms` milliseconds. Returns a function that cancels it. */
  after(ms: number, work: () => void): () => void;
  /** Like `after`, for work that must not keep the process alive. */
  afterIdly(ms: number, work: () => void): () => void;
  /** A random number, uniform in [0, 1). */
  random(): number;
  /** Cryptographically secure random bytes. */
  randomBytes(count: number): Uint8Array;
}
