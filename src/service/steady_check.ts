import { faultOf, faultsText, isHealthy, LONGEST_CHECK_MS, TOLERATED_FAILURES } from "./health.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

const EVERY_MS = 10_000;

/**
 * Looks now and then whether the service that is left alone is healthy, so that the status says so, and whether its
 * traffic goes where it should. It starts and stops nothing: a service that falls ill by itself is its supervisor's and
 * its owner's concern, not a deploy's.
 */
export class SteadyCheck {
  readonly #state: ServiceState;
  #nextMs = Number.NEGATIVE_INFINITY;
  readonly #failures = new Map<string, number>();

  constructor(state: ServiceState) {
    this.#state = state;
  }

  async look(host: ServiceHost): Promise<void> {
    const nowMs = host.machine.clock.monotonicMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + EVERY_MS;
    // Also where health cannot be asked for: a recipe that cannot be read must not keep an instance off.
    if (this.#state.journal.problem === null) await this.#lookAtTraffic(host);
    await this.#lookAtHealth(host);
  }

  async #lookAtHealth(host: ServiceHost): Promise<void> {
    const current = await host.current();
    if (current === null) return;
    if ((await current.resolvedRecipe()).check === null) {
      // Nothing is known but what the processes show.
      this.#state.healthy = null;
      this.#state.whyIll = "";
      return;
    }
    const faults = await Promise.all(host.instances.map(({ name }) => this.#faultOf(host, name)));
    const isSure = (fault: string | null, at: number): boolean =>
      fault !== null && (this.#failures.get(host.instances[at]?.name ?? "") ?? 0) > TOLERATED_FAILURES;
    if (faults.filter((fault) => fault === null).length >= host.fewest) {
      this.#state.healthy = true;
      this.#state.whyIll = "";
    } else if (faults.filter((fault, at) => !isSure(fault, at)).length < host.fewest) {
      this.#state.healthy = false;
      this.#state.whyIll = faultsText(host, faults);
    }
  }

  /** What is wrong with an instance; one failure may be a hiccup, so they are counted. */
  async #faultOf(host: ServiceHost, name: string): Promise<string | null> {
    const signal = host.machine.clock.deadline(LONGEST_CHECK_MS);
    const fault = await faultOf(host, this.#state, host.instance(name), signal);
    this.#failures.set(name, fault === null ? 0 : (this.#failures.get(name) ?? 0) + 1);
    return fault;
  }

  /** Somebody may have flushed our rules, and an instance that was left without traffic may be well again. */
  async #lookAtTraffic(host: ServiceHost): Promise<void> {
    const signal = host.machine.clock.deadline(LONGEST_CHECK_MS);
    await host.trafficControl.assert(signal);
    if (this.#state.journal.now.activation !== null) return;
    await host.trafficControl.settle((name) => isHealthy(host, this.#state, host.instance(name), signal), signal);
  }
}
