import { hasLeft } from "../core/leaving.ts";
import { faultOf, faultsText, isHealthy, LONGEST_CHECK_MS, TOLERATED_FAILURES } from "./health.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

const EVERY_MS = 10_000;

/**
 * Checks now and then whether the service that nobody is restarting is healthy, so that the status says so, and whether
 * its traffic goes where it should. It starts and stops nothing: a service that fails by itself is its supervisor's and
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
    // Also where there is no check to run: a recipe that cannot be read must not keep an instance without traffic.
    if (this.#state.journal.problem === null) await this.#lookAtTraffic(host);
    await this.#lookAtHealth(host);
  }

  async #lookAtHealth(host: ServiceHost): Promise<void> {
    const current = await host.current();
    if (current === null) return;
    if ((await current.resolvedRecipe()).check === null) {
      // Only the processes show anything about its health.
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

  /** What is wrong with an instance. Failures are counted, since a single one may be a hiccup. */
  async #faultOf(host: ServiceHost, name: string): Promise<string | null> {
    const signal = host.machine.clock.deadline(LONGEST_CHECK_MS);
    const fault = await faultOf(host, this.#state, host.instance(name), signal);
    this.#failures.set(name, fault === null ? 0 : (this.#failures.get(name) ?? 0) + 1);
    return fault;
  }

  /** Somebody may have flushed our rules, and an instance that was left without traffic may be healthy again. */
  async #lookAtTraffic(host: ServiceHost): Promise<void> {
    const signal = host.machine.clock.deadline(LONGEST_CHECK_MS);
    await host.trafficControl.assert(signal);
    const journal = this.#state.journal.now;
    if (journal.activation !== null || hasLeft(journal)) return;
    await host.trafficControl.settle((name) => isHealthy(host, this.#state, host.instance(name), signal), signal);
  }
}
