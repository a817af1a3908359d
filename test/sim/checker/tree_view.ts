import type { DeployRecord } from "../../../src/schema/deploy_record.ts";
import { reaches } from "../../../src/core/stages.ts";
import { emptyGate, outBy, type Gate, type OutHosts } from "../../../src/core/gate.ts";
import type { BuildRecord, Failure, Hold, HostRecord, HostStatus, Slot, Wish } from "../../../src/schema/znodes.ts";

/** A deploy as the tree has it. */
export interface DeployEntry {
  readonly id: string;
  /** In the order of creation, from 1. */
  readonly number: number;
  record: DeployRecord;
  /** Every state it has been in, in order. */
  readonly states: string[];
}

/** A change to one node, as one of a transaction. */
export interface NodeChange {
  readonly path: string;
  /** Null where it was deleted. */
  readonly data: string | null;
}

/** One service's part of the committed tree, kept up to date transaction by transaction. */
export class TreeView {
  readonly #root: string;
  readonly gatePath: string;
  readonly deploys = new Map<string, DeployEntry>();
  readonly statuses = new Map<string, HostStatus>();
  readonly hosts = new Map<string, HostRecord>();
  readonly builds = new Map<string, BuildRecord>();
  readonly alive = new Set<string>();
  /** The text of each deploy's timeline. */
  readonly timelines = new Map<string, string>();
  /** Records that somebody has made unreadable. */
  readonly damaged = new Set<string>();
  /** The slots and the failures; another object after each change. */
  gate: Gate = emptyGate;
  enabled: Wish | null = null;
  canary: Wish | null = null;
  #deploysSoFar = 0;

  /** @param chroot where deployd's tree is */
  constructor(
    readonly service: string,
    readonly chroot = "/deployd",
  ) {
    this.#root = `${chroot}/services/${service}/`;
    this.gatePath = `${this.#root}gate`;
  }

  /** What nobody can read counts as what it was before. */
  apply({ path, data }: NodeChange): void {
    const agents = `${this.chroot}/agents/`;
    if (path.startsWith(agents)) {
      if (data === null) this.alive.delete(path.slice(agents.length));
      else this.alive.add(path.slice(agents.length));
      return;
    }
    if (!path.startsWith(this.#root)) return;
    const [section = "", name = "", part = "", ...rest] = path.slice(this.#root.length).split("/");
    if (rest.length > 0) return;
    const isDamaged = section !== "enabled" && data !== null && data !== "" && read(data) === null;
    if (!isDamaged) this.damaged.delete(path);
    else {
      this.damaged.add(path);
      return;
    }
    switch (section) {
      case "enabled":
        if (name === "") this.enabled = readWish(data);
        else if (name === "canary") this.canary = readWish(data);
        return;
      case "hosts":
        if (name !== "" && part === "") put(this.hosts, name, read(data) as HostRecord | null);
        return;
      case "builds":
        if (name !== "" && part === "") put(this.builds, name, read(data) as BuildRecord | null);
        return;
      case "status":
        if (name !== "" && part === "") put(this.statuses, name, read(data) as HostStatus | null);
        return;
      case "slots":
        if (name !== "" && part === "") this.#slot(name, data);
        return;
      case "failed":
        if (name !== "" && part === "") this.gate = { ...this.gate, failed: changed(this.gate.failed, name, data) };
        return;
      case "timelines":
        if (name !== "" && part === "") put(this.timelines, name, data);
        return;
      case "deploys":
        if (name !== "" && part === "") this.#deploy(name, data);
        return;
      default:
        return;
    }
  }

  /** The host of which this node is the status, or null. */
  hostOfStatus(path: string): string | null {
    const statuses = `${this.#root}status/`;
    return path.startsWith(statuses) ? path.slice(statuses.length) : null;
  }

  /** What this host should serve, by its role, the wishes, and the stages that have reached it. */
  wishOf(host: string): Pick<Wish, "build" | "deploy"> | null {
    const { role = "fleet", zone } = this.hosts.get(host) ?? {};
    const wish = (role === "canary" ? this.canary : null) ?? this.enabled;
    const { reach, before = null, deploy } = wish ?? {};
    if (wish === null || deploy === undefined || reach === undefined || role === "canary") return wish;
    return reaches(reach, deploy, host, zone) ? wish : before;
  }

  /** How many deploys there have been. */
  get deploysSoFar(): number {
    return this.#deploysSoFar;
  }

  /** The part of the gate that a deploy accounts for. */
  outBy(deploy: string): OutHosts {
    return outBy(this.gate, deploy);
  }

  newest(): DeployEntry | null {
    return [...this.deploys.values()].toSorted((a, b) => b.number - a.number)[0] ?? null;
  }

  /** A deploy's, or a person's. */
  #slot(name: string, data: string | null): void {
    const isHold = data?.includes('"hold"') === true;
    const slots = changed(this.gate.slots, name, isHold ? null : data);
    const holds = changed(this.gate.holds, name, isHold ? data : null);
    this.gate = { ...this.gate, slots, holds };
  }

  #deploy(id: string, data: string | null): void {
    const entry = this.deploys.get(id);
    const record = read(data) as DeployRecord | null;
    if (record === null) {
      this.deploys.delete(id);
      return;
    }
    if (entry === undefined) {
      this.#deploysSoFar += 1;
      this.deploys.set(id, { id, number: this.#deploysSoFar, record, states: [record.state] });
      return;
    }
    entry.record = record;
    if (entry.states.at(-1) !== record.state) entry.states.push(record.state);
  }
}

function changed<T extends Slot | Hold | Failure>(
  before: ReadonlyMap<string, T>,
  host: string,
  data: string | null,
): Map<string, T> {
  const after = new Map(before);
  put(after, host, read(data) as T | null);
  return after;
}

function put<T>(map: Map<string, T>, key: string, value: T | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

/** What production code wrote; it is not checked again, since it is looked at all the time. */
function read(data: string | null): object | null {
  if (data === null || data === "") return null;
  try {
    const json: unknown = JSON.parse(data);
    return typeof json === "object" ? json : null;
  } catch {
    return null;
  }
}

/** A wish that was written by hand is a build's id alone. */
function readWish(data: string | null): Wish | null {
  return (read(data) as Wish | null) ?? (data === null || data === "" ? null : { build: data });
}
