import type { Ground } from "./ground.ts";
import type { SimProcess } from "./process_table.ts";
import { RunningService, type Launch } from "./service.ts";

/** The copies of services that run on a host. */
export class Services {
  readonly #ground: Ground;
  readonly #running = new Map<SimProcess, RunningService>();

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  start(launch: Launch): RunningService {
    const started = new RunningService(this.#ground, launch);
    this.#running.set(started.process, started);
    started.process.onEnd(() => this.#running.delete(started.process));
    return started;
  }

  of(root: string, instance: string): RunningService[] {
    return [...this.#running.values()].filter(
      ({ service, instance: { name } }) => service.root === root && name === instance,
    );
  }

  /** The one that has the port. */
  at(port: number): RunningService | null {
    const process = this.#ground.processes.at(port);
    return process === null ? null : (this.#running.get(process) ?? null);
  }

  /** The machine has lost its power. */
  lose(): void {
    this.#running.clear();
  }
}
