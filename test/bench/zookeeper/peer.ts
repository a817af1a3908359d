import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Subprocess } from "bun";

export type PeerName = "ours" | "java" | "kazoo" | "bare";

/** How to start a client's program. */
export interface PeerProgram {
  readonly name: PeerName;
  readonly command: readonly string[];
}

interface Heard {
  readonly words: readonly string[];
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
}

const shownOfErrors = 1_000;

/** A ZooKeeper client in a process of its own that does as it is told, a line at a time; see test/bench/README.md. */
export class Peer implements AsyncDisposable {
  readonly name: PeerName;
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;
  readonly #errors: Promise<string>;
  readonly #heard: Heard[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(program: PeerProgram) {
    this.name = program.name;
    this.#process = Bun.spawn([...program.command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#errors = new Response(this.#process.stderr).text().catch(String);
    void this.#listen();
  }

  /** Resolves when the program takes commands. */
  static async start(program: PeerProgram): Promise<Peer> {
    const peer = new Peer(program);
    await peer.hear("ready", 30_000);
    return peer;
  }

  get pid(): number {
    return this.#process.pid;
  }

  tell(command: string): void {
    void this.#process.stdin.write(`${command}\n`);
    void this.#process.stdin.flush();
  }

  /** Tells it something and waits for the answer that begins with `word`. */
  async ask(command: string, word: string, deadlineMs = 60_000): Promise<Heard> {
    this.tell(command);
    return await this.hear(word, deadlineMs);
  }

  /** The next line that begins with `word`; others are left, as a peer with many threads may say them in any order. */
  async hear(word: string, deadlineMs: number): Promise<Heard> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const failed = this.#heard.find(({ words }) => words[0] === "failed");
      if (failed !== undefined) throw new Error(`${this.name}, when asked for "${word}": ${failed.words.join(" ")}`);
      const index = this.#heard.findIndex(({ words }) => words[0] === word);
      const [next] = index < 0 ? [] : this.#heard.splice(index, 1);
      if (next !== undefined) return next;
      const leftMs = endsAt - performance.now();
      if (this.#ended) throw new Error(`${this.name} ended: ${(await this.#errors).slice(-shownOfErrors)}`);
      if (leftMs <= 0) throw new Error(`${this.name} did not say "${word}" within ${deadlineMs} ms`);
      await this.#pause(leftMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async #listen(): Promise<void> {
    for await (const line of createInterface({ input: Readable.fromWeb(this.#process.stdout) })) {
      this.#heard.push({ words: line.split(" "), atMs: performance.now() });
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }

  async #pause(atMostMs: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, atMostMs);
    this.#wake = over.resolve;
    await over.promise;
    clearTimeout(timer);
  }
}
