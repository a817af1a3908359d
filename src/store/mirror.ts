import { buildWanted } from "../core/deploy_state.ts";
import type { DeployError } from "../core/errors.ts";
import type { HostStatus } from "../schema/znodes.ts";
import { read, type ZooKeeper } from "../zookeeper/client.ts";
import { unknownBuild } from "./builds.ts";
import { readGate, type GateRead } from "./gate.ts";
import { incompleteTree } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { conducted, MirrorMarks, shown, type Section, type Stale } from "./mirror_marks.ts";
import {
  agentPath,
  buildPath,
  buildsPath,
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  gatePath,
  hostPath,
  hostsPath,
  servicePath,
  servicesPath,
  statusesPath,
  statusPath,
} from "./paths.ts";
import { readMany, readNodes, type Node } from "./read_nodes.ts";
import { childrenOf } from "./records.ts";
import { ServiceRecords } from "./service_records.ts";
import { unknownService } from "./services.ts";

/** A node to read, and a function that takes what was read. */
interface Wanted {
  readonly path: string;
  readonly take: (node: Node | null) => void;
}

type Names = Pick<Stale, "deploys" | "hosts" | "statuses" | "agents">;

/**
 * One service's part of the tree in memory, for programs that look at a whole fleet: the conductor, `ctl`, a monitor. A
 * watch event only marks a node; `refresh` reads the marked ones, so a burst of changes to one node costs one read.
 * The gate is read first, then wishes and deploys, then the hosts' statuses, so that each is at least as new as the ones
 * before.
 */
export class ServiceMirror extends ServiceRecords {
  readonly #sections: ReadonlySet<Section>;
  readonly #marks: MirrorMarks;
  readonly #buildsRead = new Set<string>();
  /** For whoever shows the statuses: each with its times by ZooKeeper's clock. */
  readonly shown = new WeakMap<HostStatus, HostStatus>();
  /** The names of all builds; read only where a wish names a build that does not exist. */
  #buildNames: readonly string[] = [];

  /** @param sections what is read and kept of the service */
  constructor(service: string, sections: readonly Section[] = conducted) {
    super(service);
    this.#sections = new Set(sections);
    this.#marks = new MirrorMarks(service, this.#sections);
  }

  /**
   * Reads a service once, for people, and sets no watch.
   *
   * @throws DeployError as `lookAgain`
   */
  static async look(zk: ZooKeeper, service: string, sections: readonly Section[] = shown): Promise<ServiceMirror> {
    const mirror = new ServiceMirror(service, sections);
    await mirror.lookAgain(zk);
    return mirror;
  }

  get isStale(): boolean {
    return !this.#marks.isEmpty;
  }

  /** After a reconnect, watch events may have been lost, so everything counts as changed. */
  markAll(): void {
    this.#marks.all();
  }

  /** @param path of a node below this service, or of an agent, that was created, changed or deleted */
  mark(path: string): void {
    this.#marks.add(path, (section, name) =>
      section === "builds" ? this.#buildsRead.has(name) : this.knowsHost(name),
    );
  }

  /** Why a build cannot be deployed, where that was read; null where it can. */
  whyNoBuild(build: string): DeployError | null {
    if (this.builds.has(build)) return null;
    return this.damageOfBuild(build) ?? unknownBuild(this.service, build, this.#buildNames);
  }

  /**
   * Reads what has changed, for people.
   *
   * @throws DeployError `service-unknown`, with the nearest known name; `zookeeper-data-invalid` where the tree is incomplete
   */
  async lookAgain(zk: ZooKeeper): Promise<void> {
    const has = (section: Section): boolean => this.#sections.has(section);
    await attempting(`Cannot read "${this.service}"`, async () => {
      await this.refresh(zk);
      if (has("settings") && this.settings === null)
        throw unknownService(this.service, await childrenOf(zk, servicesPath));
    });
    if (has("wishes") && has("deploys") && !this.isComplete) throw incompleteTree(this.service);
  }

  async refresh(zk: ZooKeeper): Promise<void> {
    const stale = this.#marks.take();
    try {
      if (this.#sections.has("gate")) await this.#readGate(zk, stale);
      if (stale === "all") {
        await this.#read(zk, this.#named(await this.#list(zk)));
        await this.#readBuilds(zk, null);
      } else {
        await this.#read(zk, [...this.#head(stale), ...this.#named(stale)]);
        await this.#readBuilds(zk, stale.builds);
      }
    } catch (error) {
      this.#marks.all();
      throw error;
    }
  }

  /** Keeps the gate as this process itself has just made it. @param hosts those whose slot or failure it has changed */
  keepGate(gate: GateRead, hosts: Iterable<string>): void {
    this.takeGate(gate);
    this.#marks.known(hosts);
  }

  /**
   * Every change goes through the version of the gate's node. Where that is the one that is known, only somebody who has
   * edited the nodes below by hand can have changed them.
   */
  async #readGate(zk: ZooKeeper, stale: "all" | Stale): Promise<void> {
    if (stale !== "all") {
      if (!stale.gate && stale.outHosts.size === 0) return;
      const [node = null] = await readNodes(zk, [gatePath(this.service)]);
      if (stale.outHosts.size === 0 && node !== null && node.stat.version === this.gate?.version) return;
    }
    this.takeGate(await readGate(zk, this.service));
  }

  /** Lists the names of everything there is, and reads the records that exist only once. */
  async #list(zk: ZooKeeper): Promise<Names> {
    const { service } = this;
    const has = (section: Section): boolean => this.#sections.has(section);
    const head = this.#head({ settings: has("settings"), wishes: has("wishes") });
    // Read before the deploys are listed, so that the list is at least as new as this node.
    if (has("deploys")) head.push({ path: deploysPath(service), take: (node) => this.takePointer(node) });
    const lists = [
      { section: "deploys", path: deploysPath(service) },
      { section: "hosts", path: hostsPath(service) },
      { section: "statuses", path: statusesPath(service) },
    ] as const;
    const listed = lists.filter(({ section }) => has(section));
    const results = await readMany(zk, [
      ...head.map(({ path }) => read.get(path)),
      ...listed.map(({ path }) => read.children(path)),
    ]);
    for (const [index, { take }] of head.entries()) {
      const found = results[index] ?? null;
      take(found?.type === "get" ? found : null);
    }
    const names = { deploys: [] as string[], hosts: [] as string[], statuses: [] as string[] };
    for (const [index, { section }] of listed.entries()) {
      const found = results[head.length + index] ?? null;
      if (found?.type === "children") names[section] = found.children.toSorted();
    }
    this.forgetAllBut(names);
    const { deploys, hosts, statuses } = names;
    const agents = has("agents") ? [...hosts, ...statuses] : [];
    return {
      deploys: new Set(deploys),
      hosts: new Set(hosts),
      statuses: new Set(statuses),
      agents: new Set(agents),
    };
  }

  #head({ settings, wishes }: Pick<Stale, "settings" | "wishes">): Wanted[] {
    const { service } = this;
    const wanted: Wanted[] = [];
    if (settings) wanted.push({ path: servicePath(service), take: (node) => this.takeSettings(node) });
    if (wishes) {
      wanted.push({ path: enabledPath(service), take: (node) => this.takeWish("enabled", node) });
      wanted.push({ path: canaryPath(service), take: (node) => this.takeWish("canary", node) });
    }
    return wanted;
  }

  #named({ deploys, hosts, statuses, agents }: Names): Wanted[] {
    const { service } = this;
    return [
      ...[...deploys].map((id): Wanted => ({
        path: deployPath(service, id),
        take: (node) => this.takeDeploy(id, node),
      })),
      ...[...hosts].map((host) => ({
        path: hostPath(service, host),
        take: (node: Node | null) => this.takeHost(host, node),
      })),
      ...[...statuses].map((host) => ({
        path: statusPath(service, host),
        take: (node: Node | null) => this.takeStatus(host, node),
      })),
      ...[...agents].map((host) => ({
        path: agentPath(host),
        take: (node: Node | null) => this.takeAgent(host, node),
      })),
    ];
  }

  async #read(zk: ZooKeeper, wanted: readonly Wanted[]): Promise<void> {
    const nodes = await readNodes(
      zk,
      wanted.map(({ path }) => path),
    );
    for (const [index, { take }] of wanted.entries()) take(nodes[index] ?? null);
  }

  /**
   * Reads whether builds are barred, only where that matters: for the builds that a host may be given, and for those
   * shown to people.
   */
  async #readBuilds(zk: ZooKeeper, stale: ReadonlySet<string> | null): Promise<void> {
    const { service } = this;
    const byHand = this.#sections.has("ways out") ? this.#wishedByHand() : [];
    const wanted = [...new Set([...this.#buildsThatCount(), ...this.#waysOut(), ...byHand])];
    for (const build of this.#buildsRead) if (stale === null || !wanted.includes(build)) this.#buildsRead.delete(build);
    this.forgetBuildsBut(wanted);
    const unread = wanted.filter((build) => stale?.has(build) === true || !this.#buildsRead.has(build));
    await this.#read(
      zk,
      unread.map((build) => ({ path: buildPath(service, build), take: (node) => this.takeBuild(build, node) })),
    );
    for (const build of unread) this.#buildsRead.add(build);
    const isLost = (build: string): boolean => !this.builds.has(build) && this.damageOfBuild(build) === null;
    if (byHand.some((build) => unread.includes(build) && isLost(build)))
      this.#buildNames = await childrenOf(zk, buildsPath(service));
  }

  #buildsThatCount(): string[] {
    if (!this.#sections.has("builds")) return [];
    return this.deploysThatCount.flatMap(({ record }) => {
      const { build, previous, onHalt } = record;
      // One that may be taken back by itself leads to both.
      return onHalt === "rollback" && previous !== null ? [build, previous] : [buildWanted(record)];
    });
  }

  /** The builds that the newest deploy leads to, forwards and back. */
  #waysOut(): string[] {
    const { id } = this.newest;
    const deploy = id === null || !this.#sections.has("ways out") ? undefined : this.deploys.get(id);
    if (deploy === undefined) return [];
    const { build, previous } = deploy.record;
    return previous === null ? [build] : [build, previous];
  }

  #wishedByHand(): string[] {
    const { enabled, canary } = this.wishes;
    return [enabled, canary].flatMap((wish) => (wish === null || wish.deploy !== undefined ? [] : [wish.build]));
  }
}
