import { probeOnce } from "../probe/probe.ts";
import { systemClock } from "../support/clock.ts";
import { TOLERATED_FAILURES } from "./activate.ts";
import { runnerFor } from "./commands.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

const EVERY_MS = 10_000;

/**
 * Looks now and then whether the service that is left alone is healthy, so that the status says so. It decides nothing: a
 * service that falls ill by itself is its supervisor's and its owner's concern, not a deploy's.
 */
export class SteadyCheck {
  readonly #state: ServiceState;
  #lastMs = 0;
  #failures = 0;

  constructor(state: ServiceState) {
    this.#state = state;
  }

  async look(host: ServiceHost): Promise<void> {
    const nowMs = systemClock.now();
    if (nowMs - this.#lastMs < EVERY_MS) return;
    this.#lastMs = nowMs;
    const current = await host.current();
    const check = (await current?.recipe())?.check ?? null;
    if (current === null) return;
    if (check === null) {
      // Nothing is known but what the processes show.
      this.#state.healthy = null;
      return;
    }
    const { probe } = check;
    const result = await probeOnce(
      probe,
      { run: runnerFor(current.command) },
      AbortSignal.timeout(probe.timeoutMs * 2),
    );
    this.#failures = result.ok ? 0 : this.#failures + 1;
    if (result.ok) this.#state.healthy = true;
    else if (this.#failures > TOLERATED_FAILURES) this.#state.healthy = false;
  }
}
