import { asDeployError, DeployError } from "../core/errors.ts";
import { installsBegun } from "../core/journal.ts";
import { rungOfSpool } from "../core/plan.ts";
import { backoffMs } from "../support/backoff.ts";
import { installsOf, prepareStep } from "./prepare.ts";
import { releaseState, spoolState } from "./observe.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

/** How long it is until a build that could not be prepared is tried again, in milliseconds. */
const AGAIN = { firstMs: 10_000, maxMs: 600_000 };

interface ReadyingOptions {
  readonly host: ServiceHost;
  readonly state: ServiceState;
  readonly heavy: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onGaveWay: (paths: readonly string[]) => void;
  readonly say: (level: "info" | "warn" | "error", message: string, facts: object) => void;
}

/**
 * Prepares a build that the host does not have to serve yet, while it has nothing else to do: when it has to, nothing is
 * left to fetch. A failure is no failure of a deploy; it is told, and tried again after a while.
 */
export class Readying {
  readonly #options: ReadyingOptions;
  #build = "";
  #tries = 0;
  #againAtMs = 0;

  constructor(options: ReadyingOptions) {
    this.#options = options;
  }

  /** Goes through all rungs up to the last. It does not throw for what goes wrong. @param signal ends it at once */
  async look(signal: AbortSignal): Promise<void> {
    const { host, state, say } = this.#options;
    const wanted = state.snapshot.ready;
    const { clock } = host.machine;
    if (wanted === null) {
      this.#tell(null);
      return;
    }
    if (wanted.build !== this.#build) [this.#build, this.#tries, this.#againAtMs] = [wanted.build, 0, 0];
    if (clock.monotonicMs() < this.#againAtMs) return;
    try {
      while (!(await this.#isReady(wanted, signal)));
      if (state.prepared?.build !== wanted.build || !state.prepared.isReady)
        say("info", "ready, to be served when its time comes", { build: wanted.build });
      this.#tell({ build: wanted.build, isReady: true, problem: "" });
    } catch (thrown) {
      if (signal.aborted) return;
      const { explained } = asDeployError(thrown, `Cannot prepare "${wanted.build}"`);
      this.#tries += 1;
      this.#againAtMs = clock.monotonicMs() + AGAIN.firstMs + backoffMs(this.#tries, AGAIN, clock.random);
      say("warn", `${explained} It is tried again.`, { build: wanted.build });
      this.#tell({ build: wanted.build, isReady: false, problem: explained });
    }
  }

  /** Does one rung, where one is left. */
  async #isReady(
    { build, deploy, record }: NonNullable<ServiceState["snapshot"]["ready"]>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { host, state, heavy, onGaveWay } = this.#options;
    const release = await releaseState(host.layout, build, record, host.files);
    if (release === "installed") return true;
    const rung =
      release === "extracted" ? "install" : rungOfSpool(await spoolState(host.layout, build, record, host.files));
    const on = host.build(build, deploy);
    const begun = installsBegun(state.journal.now, { deploy, build });
    if (rung === "install" && begun >= (await installsOf(on))) {
      throw new DeployError(
        `Cannot install "${build}": its install steps were begun ${begun} times and never succeeded.`,
        {
          code: "attempts-exhausted",
          hint: "Look at the install log on the host.",
        },
      );
    }
    await prepareStep(rung, { record, host, state, heavy, onGaveWay, ...on }, signal);
    return false;
  }

  #tell(prepared: ServiceState["prepared"]): void {
    const { state } = this.#options;
    if (Bun.deepEquals(state.prepared, prepared)) return;
    state.prepared = prepared;
    state.changed();
  }
}
