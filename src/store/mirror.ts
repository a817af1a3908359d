import { isDeployError } from "../core/errors.ts";
import { buildWanted, isRunning } from "../core/deploy_state.ts";
import type { Unreadable } from "../core/rollout.ts";
import type { Wishes } from "../core/targets.ts";
import {
  buildRecordSchema,
  hostStatusSchema,
  wishSchema,
  type BuildRecord,
  type HostRecord,
  type HostStatus,
  type Wish,
} from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { whyBarred } from "./bar.ts";
import { readGate, type GateRead } from "./gate.ts";
import {
  buildPath,
  canaryPath,
  deploysPath,
  enabledPath,
  hostsPath,
  servicePath,
  statusesPath,
  statusPath,
} from "./paths.ts";
import { childrenOf, readRecord, type Versioned } from "./records.ts";
import { readHost } from "./registry.ts";

type Section = "wishes" | "hosts" | "statuses" | "deploys" | "builds";

/** What has changed since it was read. */
interface Stale {
  readonly hosts: Set<string>;
  readonly statuses: Set<string>;
  readonly deploys: Set<string>;
  readonly builds: Set<string>;
  wishes: boolean;
}

const nothing = (): Stale => ({
  hosts: new Set(),
  statuses: new Set(),
  deploys: new Set(),
  builds: new Set(),
  wishes: false,
});

/**
 * One service's part of the tree in memory, for the few that look at all hosts: the conductor and a monitor. What a
 * watch reports is only marked; `refresh` then reads what was marked, so a burst of changes to one node costs one read.
 */
export class ServiceMirror {
  readonly service: string;
  wishes: Wishes = { enabled: null, canary: null };
  readonly hosts = new Map<string, HostRecord>();
  readonly statuses = new Map<string, HostStatus>();
  /** Of the status nodes, for a grant that must not go by an old word of its host. */
  readonly statusVersions = new Map<string, number>();
  /** By ZooKeeper's clock, in epoch milliseconds. */
  readonly statusesWrittenAtMs = new Map<string, number>();
  readonly deploys = new Map<string, GateRead>();
  /** Those that deploys that count bring to hosts; null for one that is not there. */
  readonly builds = new Map<string, Versioned<BuildRecord> | null>();
  /** Of the node above the deploys: as long as it stands, there is no deploy that is not in `deploys`. */
  deploysVersion = -1;
  /** What is wrong with the records that are there and cannot be read, by their section and name. */
  readonly #broken: Record<Section, Map<string, string>> = {
    wishes: new Map(),
    hosts: new Map(),
    statuses: new Map(),
    deploys: new Map(),
    builds: new Map(),
  };
  #stale: "all" | Stale = "all";

  constructor(service: string) {
    this.service = service;
  }

  get unreadable(): Unreadable {
    const { wishes, hosts, statuses, deploys, builds } = this.#broken;
    return {
      wishes: wishes.size > 0,
      hosts: new Set(hosts.keys()),
      statuses: new Set(statuses.keys()),
      deploys: new Set(deploys.keys()),
      builds: new Set(builds.keys()),
    };
  }

  /** Of the builds that deploys bring to hosts, those that are barred, and why. */
  get barred(): ReadonlyMap<string, string> {
    return new Map(
      [...this.builds].flatMap(([build, found]) => {
        const barred = found?.value.barred;
        return barred === undefined ? [] : [[build, `"${build}" was ${whyBarred(barred)}`] as const];
      }),
    );
  }

  /** The same for people: a sentence for each record. */
  get problems(): string[] {
    return Object.values(this.#broken).flatMap((section) => [...section.values()]);
  }

  get isStale(): boolean {
    const stale = this.#stale;
    if (stale === "all") return true;
    const { wishes, hosts, statuses, deploys, builds } = stale;
    return wishes || [hosts, statuses, deploys, builds].some((names) => names.size > 0);
  }

  /** Deploys whose gate still says something: those that are wished or under way, and those with hosts out of service. */
  get deploysThatCount(): GateRead[] {
    const wished = new Set([this.wishes.enabled?.deploy, this.wishes.canary?.deploy]);
    return [...this.deploys.values()].filter(
      ({ id, record, gate }) =>
        wished.has(id) ||
        isRunning(record) ||
        Object.keys(gate.slots).length > 0 ||
        Object.values(gate.failed).some((failure) => !failure.healthy),
    );
  }

  /** After a reconnect events may be missing, so everything counts as changed. */
  markAll(): void {
    this.#stale = "all";
  }

  /** @param path of a node below this service that was created, changed or deleted */
  mark(path: string): void {
    const stale = this.#stale;
    if (stale === "all") return;
    const [section, name] = path.slice(servicePath(this.service).length + 1).split("/");
    switch (section) {
      case "enabled":
        stale.wishes = true;
        break;
      case "hosts":
        if (name !== undefined) stale.hosts.add(name);
        break;
      case "status":
        if (name !== undefined) stale.statuses.add(name);
        break;
      case "builds":
        if (name !== undefined && (this.builds.has(name) || this.#broken.builds.has(name))) stale.builds.add(name);
        break;
      case "deploys":
        if (name === undefined) this.#stale = "all";
        else stale.deploys.add(name);
        break;
      default:
        break;
    }
  }

  async refresh(zk: ZooKeeper): Promise<void> {
    const stale = this.#stale;
    this.#stale = nothing();
    try {
      if (stale === "all") {
        // Read before the deploys are listed: the list is then at least as new as this says.
        this.deploysVersion = (await zk.exists(deploysPath(this.service)))?.version ?? -1;
        const [hosts, statuses, deploys] = await Promise.all([
          childrenOf(zk, hostsPath(this.service)),
          childrenOf(zk, statusesPath(this.service)),
          childrenOf(zk, deploysPath(this.service)),
        ]);
        for (const map of [this.hosts, this.#broken.hosts]) forgetOthers(map, hosts);
        for (const map of [this.statuses, this.statusVersions, this.statusesWrittenAtMs, this.#broken.statuses])
          forgetOthers(map, statuses);
        for (const map of [this.deploys, this.#broken.deploys]) forgetOthers(map, deploys);
        for (const map of [this.builds, this.#broken.builds]) forgetOthers(map, []);
        await this.#read(zk, { hosts, statuses, deploys, wishes: true });
        await this.#readBuilds(zk, new Set());
      } else {
        await this.#read(zk, stale);
        await this.#readBuilds(zk, stale.builds);
      }
    } catch (error) {
      this.#stale = "all";
      throw error;
    }
  }

  async #read(
    zk: ZooKeeper,
    stale: { hosts: Iterable<string>; statuses: Iterable<string>; deploys: Iterable<string>; wishes: boolean },
  ): Promise<void> {
    const { service } = this;
    await Promise.all([
      ...[...stale.hosts].map(async (host) =>
        put(this.hosts, host, await this.#tolerant("hosts", host, () => readHost(zk, service, host))),
      ),
      ...[...stale.statuses].map(async (host) => {
        const read = () => readRecord(zk, statusPath(service, host), hostStatusSchema);
        const found = await this.#tolerant("statuses", host, read);
        put(this.statuses, host, found?.value ?? null);
        put(this.statusVersions, host, found?.version ?? null);
        put(this.statusesWrittenAtMs, host, found?.writtenAtMs ?? null);
      }),
      ...[...stale.deploys].map(async (id) =>
        put(this.deploys, id, await this.#tolerant("deploys", id, () => readGate(zk, service, id))),
      ),
      ...(stale.wishes ? [this.#readWishes(zk)] : []),
    ]);
  }

  /** A bar is asked for where it matters: of the builds that somebody may be given. */
  async #readBuilds(zk: ZooKeeper, stale: ReadonlySet<string>): Promise<void> {
    const wanted = [...new Set(this.deploysThatCount.map(({ record }) => buildWanted(record)))];
    for (const map of [this.builds, this.#broken.builds]) forgetOthers(map, wanted);
    const unread = wanted.filter((build) => stale.has(build) || !this.builds.has(build));
    await Promise.all(
      unread.map(async (build) => {
        const read = () => readRecord(zk, buildPath(this.service, build), buildRecordSchema);
        this.builds.set(build, await this.#tolerant("builds", build, read));
      }),
    );
  }

  async #readWishes(zk: ZooKeeper): Promise<void> {
    const read = (path: string): Promise<Wish | null> =>
      this.#tolerant("wishes", path, async () => (await readRecord(zk, path, wishSchema))?.value ?? null);
    const [enabled, canary] = await Promise.all([read(enabledPath(this.service)), read(canaryPath(this.service))]);
    this.wishes = { enabled, canary };
  }

  /** One damaged record must not blind its reader to all the others, and must not be taken for one that is not there. */
  async #tolerant<T>(section: Section, name: string, read: () => Promise<T | null>): Promise<T | null> {
    try {
      const value = await read();
      this.#broken[section].delete(name);
      return value;
    } catch (error) {
      if (!isDeployError(error) || error.code !== "zookeeper-data-invalid") throw error;
      this.#broken[section].set(name, error.message);
      return null;
    }
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

function forgetOthers(map: Pick<Map<string, unknown>, "keys" | "delete">, names: readonly string[]): void {
  const known = new Set(names);
  for (const key of map.keys()) if (!known.has(key)) map.delete(key);
}
