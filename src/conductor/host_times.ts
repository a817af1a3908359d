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
  readonly partsMs: Map<Part, number>;
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
      const time = known ?? { status, part: null, sinceMs: atMs, partsMs: new Map<Part, number>() };
      if (time.part !== null)
        time.partsMs.set(time.part, (time.partsMs.get(time.part) ?? 0) + Math.max(0, atMs - time.sinceMs));
      Object.assign(time, { status, part: isOf ? partOf(status) : null, sinceMs: atMs });
      this.#times.set(host, time);
    }
  }

  /** Those that have taken longest so far. @param nowMs by ZooKeeper's clock */
  slowest(most: number, nowMs: number): SlowHost[] {
    return [...this.#times]
      .map(([host, time]) => this.#told(host, time, nowMs))
      .filter(({ ms }) => ms > 0)
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, most);
  }

  #told(host: string, { status, part, sinceMs, partsMs }: HostTime, nowMs: number): SlowHost {
    const spent = new Map(partsMs);
    if (part !== null) spent.set(part, (spent.get(part) ?? 0) + Math.max(0, nowMs - sinceMs));
    const { wait = 0, restart = 0, ...others } = Object.fromEntries(spent) as Partial<Record<Part, number>>;
    const phases = this.#phasesOf(status);
    const inPhases = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
    const rest = Math.max(0, restart - inPhases);
    const parts = { ...others, ...phases, restart: rest };
    const ms = Object.values(parts).reduce((sum, each) => sum + each, 0);
    const told = Object.entries({ ...parts, wait }).map(([name, each]) => [name, Math.round(each)] as const);
    return { host, ms: Math.round(ms), partsMs: Object.fromEntries(told.filter(([, each]) => each > 0)) };
  }

  #phasesOf({ restart }: HostStatus): Readonly<Record<string, number>> {
    if (restart === null || restart === undefined || restart.deploy !== this.#deploy) return {};
    return Object.fromEntries(restartPhases.map((phase) => [phase, Math.max(0, restart.phaseMs[phase] ?? 0)] as const));
  }
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
