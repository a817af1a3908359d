import { isRunning } from "../core/deploy_state.ts";
import type { DeployError } from "../core/errors.ts";
import type { ConductedDeploy, Unreadable } from "../core/conducted.ts";
import { emptyGate, noneOut, outByDeploy } from "../core/gate.ts";
import { deploysIn, type Wishes } from "../core/targets.ts";
import { deployRecordSchema, type DeployRecord } from "../schema/deploy_record.ts";
import {
  buildRecordSchema,
  deploysPointerSchema,
  hostRecordSchema,
  hostStatusSchema,
  serviceSettingsSchema,
  wishSchema,
  type AgentRecord,
  type BuildRecord,
  type DeploysPointer,
  type HostRecord,
  type HostStatus,
  type ServiceSettings,
  type Wish,
} from "../schema/znodes.ts";
import { whyBarred } from "./bar.ts";
import { damagedDeploy, newestIsGone, type ServiceHead } from "./deploys.ts";
import type { GateRead } from "./gate.ts";
import { livingAgentIn, runsService } from "./living_agents.ts";
import {
  buildPath,
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  hostPath,
  servicePath,
  statusPath,
} from "./paths.ts";
import type { Node } from "./read_nodes.ts";
import { emptyRecord, recordIn, valueIn, type Versioned } from "./records.ts";
import { RecordsByName } from "./records_by_name.ts";

/** A deploy as it was read, with the part of the gate that it accounts for. */
export interface DeployRead extends ConductedDeploy {
  /** The transaction that created the deploy. */
  readonly czxid: bigint;
  /** When the deploy was begun and when its record was written last, by ZooKeeper's clock, in epoch milliseconds. */
  readonly madeAtMs: number;
  readonly writtenAtMs: number;
}

/** What is known of one service, collected from its nodes as they are read. A null node does not exist. */
export class ServiceRecords {
  readonly service: string;
  /** Cautious defaults where the settings cannot be read; null where the service does not exist. */
  settings: ServiceSettings | null = null;
  wishes: Wishes = { enabled: null, canary: null };
  /** The nodes of the wishes, where they can be read. */
  wishNodes: { readonly enabled: Versioned<Wish | null> | null; readonly canary: Versioned<Wish | null> | null } = {
    enabled: null,
    canary: null,
  };
  /** Null where the service has no gate, or none was read yet. */
  gate: GateRead | null = null;
  /**
   * About the status nodes. The version is for a grant, which must not rest on an outdated status; the time is
   * ZooKeeper's.
   */
  readonly statusNodes = new Map<string, { readonly version: number; readonly writtenAtMs: number }>();
  /** The records of the agents that are connected and run the service, by host. */
  readonly agents = new Map<string, AgentRecord>();
  readonly #settings = new RecordsByName<ServiceSettings>();
  readonly #wishes = new RecordsByName<Versioned<Wish | null>>();
  readonly #pointer = new RecordsByName<Versioned<DeploysPointer | null>>();
  readonly #records = new RecordsByName<Versioned<DeployRecord | null>>();
  readonly #hosts = new RecordsByName<HostRecord>();
  readonly #statuses = new RecordsByName<HostStatus>();
  readonly #builds = new RecordsByName<Versioned<BuildRecord>>();
  /** Null when they have to be put together again. */
  #deploys: ReadonlyMap<string, DeployRead> | null = null;
  #deploysVersion = -1;
  #hasEnabled = false;

  constructor(service: string) {
    this.service = service;
  }

  get hosts(): ReadonlyMap<string, HostRecord> {
    return this.#hosts.whole;
  }

  get statuses(): ReadonlyMap<string, HostStatus> {
    return this.#statuses.whole;
  }

  get deploys(): ReadonlyMap<string, DeployRead> {
    return (this.#deploys ??= this.#deploysRead());
  }

  /** The existing builds among those that deploys that count bring to hosts and those shown to people. */
  get builds(): ReadonlyMap<string, Versioned<BuildRecord>> {
    return this.#builds.whole;
  }

  /** The node above the deploys; null where it does not exist. What is damaged says nothing: the next wish replaces it. */
  get pointer(): Pick<Versioned<DeploysPointer>, "value" | "version"> | null {
    if (this.#deploysVersion < 0) return null;
    const value = this.#pointer.whole.get(this.service)?.value ?? { latest: null, number: 0 };
    return { value, version: this.#deploysVersion };
  }

  /** The version of the node above the deploys: while it is unchanged, `deploys` lists all deploys. */
  get deploysVersion(): number {
    return this.#deploysVersion;
  }

  /** Whether the nodes exist that hold the wish and name the newest deploy. */
  get isComplete(): boolean {
    return this.#hasEnabled && this.#deploysVersion >= 0;
  }

  get unreadable(): Unreadable {
    const names = ({ damaged }: { readonly damaged: ReadonlyMap<string, unknown> }) => new Set(damaged.keys());
    return {
      wishes: this.#wishes.damaged.size > 0,
      hosts: names(this.#hosts),
      statuses: names(this.#statuses),
      deploys: names(this.#records),
      builds: names(this.#builds),
    };
  }

  /** What is wrong with the records that cannot be read, for people: one sentence for each. */
  get problems(): string[] {
    const sections = ["wishes", "hosts", "statuses", "deploys", "builds"] as const;
    return [
      ...sections.flatMap((section) => this.problemsIn(section)),
      ...(this.gate?.problems ?? []).map(({ problem }) => problem),
    ];
  }

  problemsIn(section: "settings" | "wishes" | "hosts" | "statuses" | "deploys" | "builds"): string[] {
    const { damaged } = {
      settings: this.#settings,
      wishes: this.#wishes,
      hosts: this.#hosts,
      statuses: this.#statuses,
      deploys: this.#records,
      builds: this.#builds,
    }[section];
    return [...damaged.values()].map(({ message }) => message);
  }

  /** Why the state of a deploy is not known; null where it is. */
  damageOfDeploy(id: string): DeployError | null {
    return this.#records.damaged.get(id) ?? null;
  }

  /** What is wrong with the record of a build; null where nothing is. */
  damageOfBuild(id: string): DeployError | null {
    return this.#builds.damaged.get(id) ?? null;
  }

  /** Builds that are barred, and why. */
  get barred(): ReadonlyMap<string, string> {
    return new Map(
      [...this.builds].flatMap(([build, { value }]) =>
        value.barred === undefined ? [] : [[build, `"${build}" was ${whyBarred(value.barred)}`] as const],
      ),
    );
  }

  /**
   * Deploys that still matter: the newest, those that are wished or under way, also of the hosts that no stage has reached,
   * and those with hosts out of service.
   */
  get deploysThatCount(): DeployRead[] {
    const newest = this.#pointer.whole.get(this.service)?.value?.latest;
    const wished = new Set([...deploysIn(this.wishes), newest]);
    return [...this.deploys.values()].filter(
      ({ id, record, out }) =>
        wished.has(id) ||
        isRunning(record) ||
        Object.keys(out.slots).length > 0 ||
        Object.values(out.failed).some((failure) => !failure.healthy),
    );
  }

  #deploysRead(): Map<string, DeployRead> {
    const out = outByDeploy(this.gate?.gate ?? emptyGate);
    const deploys = new Map<string, DeployRead>();
    for (const [id, { value, version, ...facts }] of this.#records.whole) {
      if (value === null) continue;
      deploys.set(id, { id, ...facts, record: value, recordVersion: version, out: out.get(id) ?? noneOut });
    }
    return deploys;
  }

  /** The newest deploy, found as `readHead` finds it. */
  get newest(): { readonly id: string | null } & Pick<ServiceHead, "pointerProblem" | "damaged"> {
    const said = this.#pointer.whole.get(this.service)?.value?.latest ?? null;
    const pointerProblem = this.#pointer.damaged.get(this.service)?.message ?? null;
    if (said === null && pointerProblem === null) return { id: null, pointerProblem, damaged: null };
    const damage = said === null ? undefined : this.#records.damaged.get(said);
    if (said !== null && damage !== undefined)
      return { id: null, pointerProblem, damaged: damagedDeploy(this.service, said, damage) };
    const there = [...this.#records.whole].flatMap(([id, { value, czxid }]) => (value === null ? [] : [{ id, czxid }]));
    if (there.some(({ id }) => id === said)) return { id: said, pointerProblem, damaged: null };
    const last = there.toSorted((a, b) => (a.czxid < b.czxid ? -1 : 1)).at(-1);
    return { id: last?.id ?? null, pointerProblem: pointerProblem ?? newestIsGone(said ?? ""), damaged: null };
  }

  protected takeSettings(node: Node | null): void {
    const { service } = this;
    this.#settings.put(service, () => valueIn(node, servicePath(service), serviceSettingsSchema));
    this.settings = node === null ? null : (this.#settings.whole.get(service) ?? serviceSettingsSchema.parse({}));
  }

  protected takeWish(which: keyof Wishes, node: Node | null): void {
    const path = which === "enabled" ? enabledPath(this.service) : canaryPath(this.service);
    if (which === "enabled") this.#hasEnabled = node !== null;
    this.#wishes.put(which, () => (node === null ? null : recordIn(node, path, wishSchema)));
    const found = this.#wishes.whole.get(which) ?? null;
    this.wishNodes = { ...this.wishNodes, [which]: found };
    this.wishes = { ...this.wishes, [which]: found?.value ?? null };
  }

  protected takePointer(node: Node | null): void {
    const { service } = this;
    this.#deploysVersion = node?.stat.version ?? -1;
    this.#pointer.put(service, () =>
      node === null ? null : recordIn(node, deploysPath(service), deploysPointerSchema),
    );
  }

  protected takeDeploy(id: string, node: Node | null): void {
    const path = deployPath(this.service, id);
    this.#records.put(id, () => {
      const record = node === null ? null : recordIn(node, path, deployRecordSchema);
      if (record !== null && record.value === null) throw emptyRecord(path);
      return record;
    });
    this.#deploys = null;
  }

  protected takeGate(gate: GateRead | null): void {
    this.gate = gate;
    this.#deploys = null;
  }

  /** An empty host record counts as that of a fleet host, as it does for the host's own agent. */
  protected takeHost(host: string, node: Node | null): void {
    const path = hostPath(this.service, host);
    this.#hosts.put(host, () => valueIn(node, path, hostRecordSchema) ?? (node && hostRecordSchema.parse({})));
  }

  protected takeStatus(host: string, node: Node | null): void {
    this.#statuses.put(host, () => valueIn(node, statusPath(this.service, host), hostStatusSchema));
    if (node === null || !this.#statuses.whole.has(host)) this.statusNodes.delete(host);
    else this.statusNodes.set(host, { version: node.stat.version, writtenAtMs: node.stat.mtime });
  }

  protected takeAgent(host: string, node: Node | null): void {
    const record = livingAgentIn(node, host)?.record ?? null;
    if (record !== null && runsService(record, this.service)) this.agents.set(host, record);
    else this.agents.delete(host);
  }

  protected takeBuild(build: string, node: Node | null): void {
    this.#builds.put(build, () => {
      const found = node === null ? null : recordIn(node, buildPath(this.service, build), buildRecordSchema);
      return found === null || found.value === null ? null : { ...found, value: found.value };
    });
  }

  protected knowsHost(host: string): boolean {
    return this.#hosts.has(host) || this.#statuses.has(host);
  }

  /** Only these exist; everything else is forgotten. */
  protected forgetAllBut(names: {
    deploys: readonly string[];
    hosts: readonly string[];
    statuses: readonly string[];
  }): void {
    this.#records.forgetAllBut(names.deploys);
    this.#deploys = null;
    this.#hosts.forgetAllBut(names.hosts);
    this.#statuses.forgetAllBut(names.statuses);
    for (const host of this.statusNodes.keys()) if (!this.#statuses.has(host)) this.statusNodes.delete(host);
    for (const host of this.agents.keys()) if (!this.knowsHost(host)) this.agents.delete(host);
  }

  protected forgetBuildsBut(builds: readonly string[]): void {
    this.#builds.forgetAllBut(builds);
  }
}
