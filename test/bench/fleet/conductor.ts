import { cpuMs, forgetPeak, peakKb, residentKb } from "../processes.ts";
import type { ConductorCounts } from "./conductor_program.ts";
import { Program } from "./program.ts";

/** A directory for a profile of each conductor's processor time; none are written without it. */
const PROFILES = "BENCH_FLEET_PROFILES";

export interface ConductorTold extends ConductorCounts {
  readonly cpuMs: number;
  readonly residentMb: number;
  readonly peakMb: number;
}

/** The production conductor in a process of its own. */
export class BenchConductor implements AsyncDisposable {
  readonly #program: Program;
  #cpuMs = 0;

  constructor() {
    const directory = process.env[PROFILES];
    this.#program = new Program(
      "conductor_program",
      directory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${directory}`],
    );
  }

  async run(servers: string): Promise<void> {
    await this.#program.ask({ ask: "run", servers });
    await this.mark();
  }

  /** What it tells from here on begins now. */
  async mark(): Promise<void> {
    await this.#program.ask({ ask: "mark" });
    forgetPeak(this.#program.pid);
    this.#cpuMs = cpuMs(this.#program.pid);
  }

  async tell(): Promise<ConductorTold> {
    const { pid } = this.#program;
    const counts = await this.#program.ask<ConductorCounts>({ ask: "tell" });
    return {
      ...counts,
      cpuMs: cpuMs(pid) - this.#cpuMs,
      residentMb: Math.round(residentKb(pid) / 1024),
      peakMb: Math.round(peakKb(pid) / 1024),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}
