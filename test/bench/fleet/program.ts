import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Subprocess } from "bun";

const shownOfErrors = 2_000;

/** A program of this bench in a process of its own, which answers questions: a line of JSON for a line of JSON. */
export class Program implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;
  readonly #name: string;
  readonly #errors: Promise<string>;
  readonly #waiting: PromiseWithResolvers<unknown>[] = [];
  /** Why it has ended; null while it runs. */
  #over: Error | null = null;

  /**
   * @param bunFlags before the file, as `--cpu-prof`
   * @param niceness by how much it gives way to others, as in nice(1)
   */
  constructor(name: string, bunFlags: readonly string[] = [], niceness = 0) {
    this.#name = name;
    const file = Bun.fileURLToPath(import.meta.resolve(`./${name}.ts`));
    this.#process = Bun.spawn(["nice", "-n", String(niceness), process.execPath, ...bunFlags, file], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#errors = new Response(this.#process.stderr).text().catch(String);
    void this.#listen();
  }

  get pid(): number {
    return this.#process.pid;
  }

  async ask<Answer>(question: object): Promise<Answer> {
    if (this.#over !== null) throw this.#over;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.push(waiting);
    void this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    void this.#process.stdin.flush();
    return (await waiting.promise) as Answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.end();
    await this.#process.exited;
  }

  async #listen(): Promise<void> {
    for await (const line of createInterface({ input: Readable.fromWeb(this.#process.stdout) })) {
      this.#waiting.shift()?.resolve(JSON.parse(line));
    }
    const why = `the program ${this.#name} ended: ${(await this.#errors).slice(-shownOfErrors)}`;
    this.#over = new Error(why);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#over);
  }
}

/** Answers questions on stdin, one after the other, and ends the process with stdin. */
export async function answerQuestions(answer: (question: Record<string, unknown>) => Promise<object>): Promise<never> {
  for await (const line of createInterface({ input: process.stdin })) {
    const answered = await answer(JSON.parse(line) as Record<string, unknown>);
    process.stdout.write(`${JSON.stringify(answered)}\n`);
  }
  process.exit(0);
}

/** Milliseconds since the epoch with a fraction, the same in all processes of this machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
