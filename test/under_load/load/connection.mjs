import { connect } from "node:net";
import { Failure, TIMEOUT_MS } from "./tally.mjs";

/** A connection that is closed so soon after a question was closed before it came; later, it was being answered. */
const CROSSING_MS = 250;

/**
 * A raw TCP connection on which one question at a time is asked. It is never opened again behind the asker's back: what
 * was closed stays closed, and the next question on it fails.
 */
export class Connection {
  #socket;
  #reader;
  /** How the connection ended; null while it is open. */
  #ended = null;
  #endedAt = null;
  #answered = 0;
  #waiting = null;
  #localPort = 0;

  /**
   * @param makeReader makes what turns bytes into an answer: `push(chunk)` and `end()` return the answer or null, and
   *   throw on bytes that make no sense; `isEmpty` says whether a byte of an answer was seen
   * @throws Failure `refused`, `timeout`
   */
  static async open(target, makeReader) {
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    const connected = new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (error) => reject(new Failure("refused", `connect: ${error.code ?? error.message}`)));
      socket.once("close", () => reject(new Failure("refused", "connect: closed")));
    });
    const connection = new Connection(socket, makeReader());
    try {
      await within(TIMEOUT_MS, connected, "no connection");
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return connection;
  }

  constructor(socket, reader) {
    this.#socket = socket;
    socket.once("connect", () => {
      this.#localPort = socket.localPort;
    });
    this.#reader = reader;
    socket.on("data", (chunk) => this.#feed(() => this.#reader.push(chunk)));
    socket.on("end", () => this.#over("end of stream"));
    socket.on("error", (error) => this.#over(error.code ?? error.message));
    socket.on("close", () => this.#over("closed"));
  }

  get isOpen() {
    return this.#ended === null;
  }

  /** How it ended, for messages. */
  get ended() {
    return this.#ended;
  }

  /** Milliseconds since the epoch; null while it is open. */
  get endedAt() {
    return this.#endedAt;
  }

  get localPort() {
    return this.#localPort;
  }

  /** @throws Failure `stale`, `broken`, `timeout`, `garbled` */
  async ask(bytes, timeoutMs = TIMEOUT_MS) {
    const reused = this.#answered > 0;
    if (!this.isOpen) throw new Failure(reused ? "stale" : "broken", `${this.#ended}, while idle`);
    const answer = new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#socket.write(bytes);
    const askedAt = performance.now();
    try {
      const value = await within(timeoutMs, answer, "no whole answer");
      this.#answered += 1;
      return value;
    } catch (error) {
      this.close();
      if (error instanceof Failure) throw error;
      const crossed = this.#reader.isEmpty && performance.now() - askedAt < CROSSING_MS;
      throw new Failure(reused && crossed ? "stale" : "broken", error.message);
    } finally {
      this.#waiting = null;
    }
  }

  close() {
    this.#ended ??= "closed here";
    this.#socket.destroy();
  }

  #feed(read) {
    try {
      const answer = read();
      if (answer === null) return;
      if (this.#waiting === null) throw new Error("an answer that nobody asked for");
      this.#waiting.resolve(answer);
    } catch (error) {
      this.#fail(new Failure("garbled", error.message));
    }
  }

  #over(how) {
    if (this.#ended !== null) return;
    this.#ended = how;
    this.#endedAt = Date.now();
    // An answer may be ended by the end of the connection.
    this.#feed(() => this.#reader.end());
    this.#fail(new Error(how));
    this.#socket.destroy();
  }

  #fail(error) {
    if (this.#waiting === null) this.#ended ??= error.message;
    else this.#waiting.reject(error);
  }
}

async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Failure("timeout", `${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
