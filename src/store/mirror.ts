import type { z } from "zod";
import { isDeployError } from "../core/errors.ts";
import type { Wishes } from "../core/targets.ts";
import { hostRecordSchema, hostStatusSchema, wishSchema, type HostRecord, type HostStatus } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { readGate, type GateRead } from "./gate.ts";
import {
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  hostPath,
  hostsPath,
  servicePath,
  statusesPath,
  statusPath,
} from "./paths.ts";
import { childrenOf, readRecord } from "./records.ts";

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
  readonly deploys = new Map<string, GateRead>();
  /** Of the node above the deploys: as long as it stands, there is no deploy that is not in `deploys`. */
  deploysVersion = -1;
  /** Records that could not be read, by path; whoever looks at the fleet must be able to say so. */
  readonly problems = new Map<string, string>();
  #stale: "all" | { hosts: Set<string>; statuses: Set<string>; deploys: Set<string>; wishes: boolean } = "all";

  constructor(service: string) {
    this.service = service;
  }

  get isStale(): boolean {
    const stale = this.#stale;
    if (stale === "all") return true;
    return stale.wishes || stale.hosts.size > 0 || stale.statuses.size > 0 || stale.deploys.size > 0;
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
    this.#stale = { hosts: new Set(), statuses: new Set(), deploys: new Set(), wishes: false };
    try {
      if (stale === "all") {
        // Read before the deploys are listed: the list is then at least as new as this says.
        this.deploysVersion = (await zk.exists(deploysPath(this.service)))?.version ?? -1;
        const [hosts, statuses, deploys] = await Promise.all([
          childrenOf(zk, hostsPath(this.service)),
          childrenOf(zk, statusesPath(this.service)),
          childrenOf(zk, deploysPath(this.service)),
        ]);
        forgetOthers(this.hosts, hosts);
        forgetOthers(this.statuses, statuses);
        forgetOthers(this.statusVersions, statuses);
        forgetOthers(this.deploys, deploys);
        await this.#read(zk, { hosts, statuses, deploys, wishes: true });
      } else await this.#read(zk, stale);
    } catch (error) {
      this.#stale = "all";
      throw error;
    }
  }

  async #read(
    zk: ZooKeeper,
    stale: { hosts: Iterable<string>; statuses: Iterable<string>; deploys: Iterable<string>; wishes: boolean },
  ): Promise<void> {
    await Promise.all([
      ...[...stale.hosts].map(async (host) =>
        put(this.hosts, host, await this.#record(zk, hostPath(this.service, host), hostRecordSchema)),
      ),
      ...[...stale.statuses].map(async (host) => {
        const path = statusPath(this.service, host);
        const found = await this.#tolerant(path, () => readRecord(zk, path, hostStatusSchema));
        put(this.statuses, host, found?.value ?? null);
        put(this.statusVersions, host, found?.version ?? null);
      }),
      ...[...stale.deploys].map(async (id) =>
        put(this.deploys, id, await this.#tolerant(deployPath(this.service, id), () => readGate(zk, this.service, id))),
      ),
      ...(stale.wishes ? [this.#readWishes(zk)] : []),
    ]);
  }

  async #readWishes(zk: ZooKeeper): Promise<void> {
    const [enabled, canary] = await Promise.all([
      this.#record(zk, enabledPath(this.service), wishSchema),
      this.#record(zk, canaryPath(this.service), wishSchema),
    ]);
    this.wishes = { enabled, canary };
  }

  async #record<S extends z.ZodType>(zk: ZooKeeper, path: string, schema: S): Promise<z.output<S> | null> {
    return this.#tolerant(path, async () => (await readRecord(zk, path, schema))?.value ?? null);
  }

  /** One damaged record must not blind its reader to all the others. */
  async #tolerant<T>(path: string, read: () => Promise<T | null>): Promise<T | null> {
    try {
      const value = await read();
      this.problems.delete(path);
      return value;
    } catch (error) {
      if (!isDeployError(error) || error.code !== "zookeeper-data-invalid") throw error;
      this.problems.set(path, error.message);
      return null;
    }
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

function forgetOthers<T>(map: Map<string, T>, names: readonly string[]): void {
  const known = new Set(names);
  for (const key of map.keys()) if (!known.has(key)) map.delete(key);
}
