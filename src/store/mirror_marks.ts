import { agentsPath, gatePath, servicePath } from "./paths.ts";

/** A part of what is kept of a service. `ways out`: the builds that people are told they can go to, see `ServiceMirror`. */
export type Section =
  "settings" | "wishes" | "gate" | "deploys" | "hosts" | "statuses" | "agents" | "builds" | "ways out";

/** What the conductor reads of each service; the connected agents of all services it knows from elsewhere. */
export const conducted: readonly Section[] = ["settings", "wishes", "gate", "deploys", "hosts", "statuses", "builds"];

/** What people are shown. */
export const shown: readonly Section[] = [
  "settings",
  "wishes",
  "gate",
  "deploys",
  "hosts",
  "statuses",
  "agents",
  "ways out",
];

/** What has changed since it was read. */
export interface Stale {
  settings: boolean;
  wishes: boolean;
  /** The gate's node was changed: somebody, maybe this process itself, has changed slots or failures. */
  gate: boolean;
  /** Hosts whose slot or failure was changed, by name; "" where it is the node above them. */
  readonly outHosts: Set<string>;
  readonly deploys: Set<string>;
  readonly hosts: Set<string>;
  readonly statuses: Set<string>;
  readonly agents: Set<string>;
  readonly builds: Set<string>;
}

const nothing = (): Stale => ({
  settings: false,
  wishes: false,
  gate: false,
  outHosts: new Set(),
  deploys: new Set(),
  hosts: new Set(),
  statuses: new Set(),
  agents: new Set(),
  builds: new Set(),
});

/** Which parts of a service have to be read again: everything, at first. */
export class MirrorMarks {
  readonly #service: string;
  readonly #prefix: string;
  readonly #sections: ReadonlySet<Section>;
  #stale: "all" | Stale = "all";

  constructor(service: string, sections: ReadonlySet<Section>) {
    this.#service = service;
    this.#prefix = servicePath(service);
    this.#sections = sections;
  }

  get isEmpty(): boolean {
    if (this.#stale === "all") return false;
    const { settings, wishes, gate, ...names } = this.#stale;
    return !settings && !wishes && !gate && Object.values(names).every(({ size }) => size === 0);
  }

  all(): void {
    this.#stale = "all";
  }

  /** The slots and failures of these hosts were changed by this process, which knows what they are now. */
  known(hosts: Iterable<string>): void {
    if (this.#stale === "all") return;
    for (const host of hosts) this.#stale.outHosts.delete(host);
  }

  /** Returns what is marked and clears the marks. */
  take(): "all" | Stale {
    const stale = this.#stale;
    this.#stale = nothing();
    return stale;
  }

  /**
   * @param path of a node of the service or of an agent that was created, changed or deleted
   * @param isKept whether the build, or the host of the agent, is one that the mirror has read
   */
  add(path: string, isKept: (section: "builds" | "agents", name: string) => boolean): void {
    const stale = this.#stale;
    if (stale === "all") return;
    const { section, name } = this.#placeOf(path);
    const isRead = section !== undefined && this.#sections.has(section);
    switch (section) {
      case "settings":
      case "wishes":
        if (isRead) stale[section] = true;
        break;
      case "gate":
        if (isRead && path === gatePath(this.#service)) stale.gate = true;
        else if (isRead) stale.outHosts.add(name ?? "");
        break;
      case "hosts":
        if (isRead && name !== undefined) stale.hosts.add(name);
        // When a host was added only now, its agent's node was not read, though it may have existed already.
        if (this.#sections.has("agents") && name !== undefined) stale.agents.add(name);
        break;
      case "statuses":
        if (isRead && name !== undefined) stale.statuses.add(name);
        break;
      case "agents":
        if (isRead && name !== undefined && isKept("agents", name)) stale.agents.add(name);
        break;
      case "builds":
        if (name !== undefined && isKept("builds", name)) stale.builds.add(name);
        break;
      case "deploys":
        if (isRead && name === undefined) this.#stale = "all";
        else if (isRead && name !== undefined) stale.deploys.add(name);
        break;
      default:
        break;
    }
  }

  #placeOf(path: string): {
    readonly section: Exclude<Section, "ways out"> | undefined;
    readonly name?: string | undefined;
  } {
    if (path.startsWith(`${agentsPath}/`)) return { section: "agents", name: path.slice(agentsPath.length + 1) };
    if (path === this.#prefix) return { section: "settings" };
    const [first, name] = path.slice(this.#prefix.length + 1).split("/");
    switch (first) {
      case "enabled":
        return { section: "wishes" };
      case "status":
        return { section: "statuses", name };
      case "gate":
      case "slots":
      case "failed":
        return { section: "gate", name };
      case "hosts":
      case "builds":
      case "deploys":
        return { section: first, name };
      default:
        return { section: undefined };
    }
  }
}
