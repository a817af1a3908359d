import { runVerb } from "../../../src/cli/run.ts";
import type { Dial } from "../../../src/zookeeper/dial.ts";
import type { Clock } from "../../../src/support/clock.ts";
import { ctlAlone } from "../../harness/ctl_alone.ts";
import type { Story } from "./story.ts";

export interface CtlRun {
  readonly words: readonly string[];
  readonly code: number;
  readonly said: string;
}

export interface OperatorOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly dial: Dial;
  readonly servers: string;
  readonly story: Story;
  /** Told of each command that has ended. */
  readonly onRun: (run: CtlRun) => void;
}

/** A person at a laptop, who types verbs of `deployd ctl`. */
export class Operator {
  readonly name: string;
  readonly #options: OperatorOptions;
  #interrupt: AbortController | null = null;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.name = options.name;
  }

  async run(...words: string[]): Promise<CtlRun> {
    const { clock, dial, servers, story, name } = this.#options;
    const interrupt = new AbortController();
    this.#interrupt = interrupt;
    const out: string[] = [];
    story.tell(name, `$ deployd ctl ${words.join(" ")}`);
    const write = (text: string): void => void out.push(text);
    const code = await runVerb(ctlAlone, ["ctl", ...words], {
      stdout: { write },
      stderr: { write },
      stdoutIsTerminal: false,
      columns: () => 120,
      env: { DEPLOYD_ZOOKEEPER: servers },
      signal: interrupt.signal,
      version: "0.1.0",
      clock,
      now: () => new Date(clock.now()),
      dial,
      user: name,
    });
    const said = out.join("").trim();
    story.tell(
      name,
      `exit ${code}${said === "" ? "" : `, having said: ${(said.split("\n").at(-1) ?? "").slice(0, 160)}`}`,
    );
    const run = { words, code, said };
    this.#options.onRun(run);
    return run;
  }

  /** Ctrl-C, where a command runs. */
  interrupt(): void {
    if (this.#interrupt === null || this.#interrupt.signal.aborted) return;
    this.#options.story.tell(this.name, "^C");
    this.#interrupt.abort("SIGINT");
  }
}
