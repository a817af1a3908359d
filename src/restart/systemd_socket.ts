import { DeployError, isDeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import { treeOf } from "./ending.ts";
import type { SignalTarget } from "./pid_file.ts";
import type { Handover, Supervisor, SupervisorEffects } from "./effects.ts";
import { SETTLE_MS } from "./steady.ts";
import { unitHint, showUnit, tellUnit, type UnitState } from "./systemctl.ts";

type SocketSpec = Extract<RestartSpec, { by: "systemd-socket" }>;

const COLOURS = ["blue", "green"] as const;
type Colour = (typeof COLOURS)[number];

/** States in which a unit serves; "activating" means not ready yet, or crashed and about to be restarted. */
const SERVING = new Set(["active", "reloading", "refreshing"]);
const STOPPED = new Set(["inactive", "failed"]);

const POLL_MS = 100;
/** How long a successor that is being ended may take to stop before it is killed. In milliseconds. */
const TAKE_BACK_MS = 10_000;
const KILL_MS = 5_000;

interface Copy extends UnitState {
  readonly colour: Colour;
}

/**
 * Two instances of a template unit take turns on a socket that systemd holds, so that no connection is refused in
 * between. What the units must say, and why:
 *
 * - `web.socket` has `Service=web@blue.service`: without it systemd looks for `web.service`, and does not listen if
 *   there is none. After a reboot the first connection starts that copy (or the boot does, if it is enabled).
 * - `web@.service` has `Sockets=web.socket`: each copy gets the socket, and systemd starts no other copy as long as one
 *   is up.
 * - It has no `Requires=web.socket`: with it, stopping the socket unit would stop the services too.
 * - It has `StartLimitIntervalSec=0`: otherwise a copy that fails too often makes the socket unit fail too, and systemd
 *   cannot listen again while the other copy holds the address.
 * - `Type=notify` lets systemd know when the copy is ready; without it "started" only means "has been forked".
 */
export function systemdSocketSupervisor(spec: SocketSpec, effects: SupervisorEffects): Supervisor {
  const handover = new SocketHandover(spec, effects);
  return {
    restart: async (signal) => {
      await handover.begin(signal);
      await handover.finish(signal);
    },
    parts: null,
    handover,
    revival: {
      isNeeded: (signal) => handover.isStopped(signal),
      start: async (signal) => {
        await handover.begin(signal);
        await handover.finish(signal);
      },
    },
    mainPids: (signal) => handover.mainPids(signal),
  };
}

class SocketHandover implements Handover {
  readonly #spec: SocketSpec;
  readonly #effects: SupervisorEffects;
  #old: { readonly colour: Colour; readonly main: SignalTarget | null } | null = null;
  #successor: Colour | null = null;

  constructor(spec: SocketSpec, effects: SupervisorEffects) {
    this.#spec = spec;
    this.#effects = effects;
  }

  async begin(signal: AbortSignal): Promise<void> {
    this.#old = null;
    this.#successor = null;
    const copies = await this.#copies(signal);
    const [serving] = copies.filter(({ state }) => SERVING.has(state)).sort((a, b) => a.startedAtUs - b.startedAtUs);
    await this.#assureSocket(serving ?? null, signal);
    for (const { colour, state } of copies) {
      if (colour !== serving?.colour && !STOPPED.has(state)) await this.#stop(colour, this.#spec.timeoutMs, signal);
    }
    const next = serving?.colour === "blue" ? "green" : "blue";
    try {
      await tellUnit("start", this.#unit(next), this.#spec.timeoutMs, this.#effects, signal);
      await this.#untilSteady(next, serving?.colour ?? null, signal);
    } catch (error) {
      // It is also ended if the restart was called off. The failure that led here is the one to report.
      await this.#stop(next, TAKE_BACK_MS, new AbortController().signal).catch(() => {});
      throw error;
    }
    this.#successor = next;
    if (serving === undefined) return;
    const fact = serving.mainPid === null ? null : await this.#effects.processFact(serving.mainPid);
    const main = fact === null || serving.mainPid === null ? null : { pid: serving.mainPid, ...fact };
    this.#old = { colour: serving.colour, main };
  }

  async abandon(signal: AbortSignal): Promise<void> {
    if (this.#successor === null) return;
    await this.#stop(this.#successor, TAKE_BACK_MS, signal);
    this.#successor = null;
    this.#old = null;
  }

  async oldPids(): Promise<number[]> {
    const main = this.#old?.main ?? null;
    return main === null ? [] : await treeOf(main, null, this.#effects);
  }

  async finish(signal: AbortSignal): Promise<void> {
    if (this.#old === null || this.#successor === null) return;
    const { state } = await showUnit(this.#unit(this.#successor), this.#effects, signal);
    if (!SERVING.has(state)) {
      throw new DeployError(
        `Cannot stop ${this.#unit(this.#old.colour)}: its successor ${this.#unit(this.#successor)} is ${state}.`,
        { code: "restart-failed", hint: unitHint(this.#unit(this.#successor)) },
      );
    }
    await this.#stop(this.#old.colour, this.#spec.timeoutMs, signal);
    this.#old = null;
    this.#successor = null;
  }

  /** The socket starts a copy with the first connection, so the service is stopped only if the socket does not listen. */
  async isStopped(signal: AbortSignal): Promise<boolean> {
    const units = [await showUnit(this.#spec.socket, this.#effects, signal), ...(await this.#copies(signal))];
    return units.every(({ isStopped }) => isStopped);
  }

  async mainPids(signal: AbortSignal): Promise<number[]> {
    const copies = await this.#copies(signal);
    return copies.flatMap(({ state, mainPid }) => (mainPid !== null && SERVING.has(state) ? [mainPid] : []));
  }

  #unit(colour: Colour): string {
    return this.#spec.unit.replace("@", `@${colour}`);
  }

  async #copies(signal: AbortSignal): Promise<Copy[]> {
    return await Promise.all(
      COLOURS.map(async (colour) => ({ colour, ...(await showUnit(this.#unit(colour), this.#effects, signal)) })),
    );
  }

  /** Makes sure that the socket unit is up and that both copies use it. */
  async #assureSocket(serving: Copy | null, signal: AbortSignal): Promise<void> {
    const { socket, unit, timeoutMs } = this.#spec;
    const { state } = await showUnit(socket, this.#effects, signal);
    if (state !== "active") {
      if (serving !== null) {
        const copy = this.#unit(serving.colour);
        throw new DeployError(`Cannot hand over from ${copy}: ${socket} is ${state}, so there is no socket to share.`, {
          code: "restart-failed",
          hint:
            `Restart both once: systemctl stop ${copy}; systemctl start ${socket}. With StartLimitIntervalSec=0 in ` +
            `[Unit] of ${unit} the socket outlives copies that fail.`,
        });
      }
      await tellUnit("start", socket, timeoutMs, this.#effects, signal);
    }
    for (const copy of await this.#copies(signal)) {
      if (copy.triggeredBy.includes(socket)) continue;
      throw new DeployError(`Cannot hand ${socket} to ${this.#unit(copy.colour)}: that does not take it.`, {
        code: "restart-failed",
        hint: `Write Sockets=${socket} into [Service] of ${unit}, then: systemctl daemon-reload.`,
      });
    }
  }

  /** Waits until the copy has been up for a while with the same process. */
  async #untilSteady(colour: Colour, old: Colour | null, signal: AbortSignal): Promise<void> {
    const unit = this.#unit(colour);
    const first = await showUnit(unit, this.#effects, signal);
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      const { state, mainPid } = await showUnit(unit, this.#effects, signal);
      if (!SERVING.has(state) || mainPid === null || mainPid !== first.mainPid) {
        const rest = old === null ? "" : ` ${this.#unit(old)} serves on.`;
        throw new DeployError(`Cannot start ${unit}: it did not stay up for ${SETTLE_MS} ms, and is ${state}.${rest}`, {
          code: "restart-failed",
          hint: unitHint(unit),
        });
      }
      if (waitedMs >= SETTLE_MS) return;
      await this.#effects.clock.sleep(POLL_MS, signal);
    }
  }

  /** systemd itself kills a unit after its TimeoutStopSec; if the caller's timeout is shorter, the unit is killed then. */
  async #stop(colour: Colour, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const unit = this.#unit(colour);
    try {
      await tellUnit("stop", unit, timeoutMs, this.#effects, signal);
    } catch (error) {
      if (!isDeployError(error) || error.code !== "restart-timeout") throw error;
      await tellUnit("kill", unit, KILL_MS, this.#effects, signal);
      await tellUnit("stop", unit, KILL_MS, this.#effects, signal);
    }
  }
}
