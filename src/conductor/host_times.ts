import { restartPhases } from "../schema/restart_phases.ts";
import type { SlowHost } from "../schema/timeline.ts";
import type { HostStatus, HostStep } from "../schema/znodes.ts";

/** What a host does, as far as its time is counted. */
type Part = "prepare" | "wait" | "restart" | "soak" | "back";

interface HostTime {
  status: HostStatus;
  /** Null while it does nothing of the deploy's. */
  part: Part | null;
  sinceMs: number;
  readonly partsMs: Record<Part, number>;
}

/** The nodes of the statuses, with the times at which ZooKeeper says that they were written. */
type StatusNodes = ReadonlyMap<string, { readonly writtenAtMs: number }>;

/**
 * How long the hosts of one deploy take, and for what, by the times at which ZooKeeper says that their statuses were
 * written. A step that a host was through with before anybody looked is not known, but for the phases of its restart.
 */
export class HostTimes {
  readonly #deploy: string;
  readonly #times = new Map<string, HostTime>();

  constructor(deploy: string) {
    this.#deploy = deploy;
  }

  look(statuses: ReadonlyMap<string, HostStatus>, nodes: StatusNodes): void {
    for (const [host, status] of statuses) {
      const known = this.#times.get(host);
      // A status that was read again is a new object, so the same object has not changed.
      if (known?.status === status) continue;
      const atMs = nodes.get(host)?.writtenAtMs ?? 0;
      const isOf = status.wish?.deploy === this.#deploy;
      if (known === undefined && !isOf) continue;
      const time = known ?? { status, part: null, sinceMs: atMs, partsMs: nothingYet() };
      if (time.part !== null) time.partsMs[time.part] += Math.max(0, atMs - time.sinceMs);
      Object.assign(time, { status, part: isOf ? partOf(status) : null, sinceMs: atMs });
      this.#times.set(host, time);
    }
  }

  /** Those that have taken longest so far. @param nowMs by ZooKeeper's clock */
  slowest(most: number, nowMs: number): SlowHost[] {
    // Of thousands of hosts only these are looked at closely.
    const slowest: { readonly host: string; readonly time: HostTime; readonly ms: number }[] = [];
    for (const [host, time] of this.#times) {
      const ms = this.#spentMs(time, nowMs);
      if (ms <= 0 || (slowest.length === most && ms <= (slowest.at(-1)?.ms ?? 0))) continue;
      const place = slowest.findIndex((each) => each.ms < ms);
      slowest.splice(place < 0 ? slowest.length : place, 0, { host, time, ms });
      slowest.length = Math.min(slowest.length, most);
    }
    return slowest.map(({ host, time }) => this.#told(host, time, nowMs)).filter(({ ms }) => ms > 0);
  }

  /** Without what it has waited for its turn. */
  #spentMs({ part, sinceMs, partsMs: { prepare, restart, soak, back }, status }: HostTime, nowMs: number): number {
    const sinceThen = part === null || part === "wait" ? 0 : Math.max(0, nowMs - sinceMs);
    const restarting = restart + (part === "restart" ? sinceThen : 0);
    const told = status.restart?.deploy === this.#deploy ? totalOf(this.#phasesOf(status)) : 0;
    return prepare + soak + back + (part === "restart" ? 0 : sinceThen) + Math.max(restarting, told);
  }

  #told(host: string, { status, part, sinceMs, partsMs }: HostTime, nowMs: number): SlowHost {
    const spent = { ...partsMs };
    if (part !== null) spent[part] += Math.max(0, nowMs - sinceMs);
    const { wait, restart, ...others } = spent;
    const phases = this.#phasesOf(status);
    const parts = { ...others, ...phases, restart: Math.max(0, restart - totalOf(phases)) };
    const told = Object.entries({ ...parts, wait }).map(([name, ms]) => [name, Math.round(ms)] as const);
    return {
      host,
      ms: Math.round(totalOf(parts)),
      partsMs: Object.fromEntries(told.filter(([, ms]) => ms > 0)),
    };
  }

  #phasesOf({ restart }: HostStatus): Readonly<Record<string, number>> {
    if (restart === null || restart === undefined || restart.deploy !== this.#deploy) return {};
    return Object.fromEntries(restartPhases.map((phase) => [phase, Math.max(0, restart.phaseMs[phase] ?? 0)] as const));
  }
}

function nothingYet(): Record<Part, number> {
  return { prepare: 0, wait: 0, restart: 0, soak: 0, back: 0 };
}

function totalOf(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((sum, ms) => sum + ms, 0);
}

function partOf({ step, rollingBack }: HostStatus): Part | null {
  const part = PARTS[step];
  return part === "restart" && rollingBack ? "back" : part;
}

const PARTS: Readonly<Record<HostStep, Part | null>> = {
  idle: null,
  fetch: "prepare",
  verify: "prepare",
  extract: "prepare",
  install: "prepare",
  ready: "wait",
  begun: "restart",
  flip: "restart",
  restart: "restart",
  check: "restart",
  soak: "soak",
  serving: null,
  failed: null,
};
