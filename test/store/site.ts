import type { DeployRecord, DeployState } from "../../src/schema/deploy_record.ts";
import type { HostStatus, ServiceSettings } from "../../src/schema/znodes.ts";
import { addBuild } from "../../src/store/builds.ts";
import { readGate, type GateRead } from "../../src/store/gate.ts";
import { type GrantBasis } from "../../src/store/grants.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { agentPath, agentsPath, deployPath, deploysPath, statusPath } from "../../src/store/paths.ts";
import { encode, ensurePath } from "../../src/store/records.ts";
import { registerHost, setRole } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { startDeploy } from "../../src/store/start_deploy.ts";
import { systemClock } from "../../src/support/clock.ts";
import { overviewOf, type Overview } from "../../src/view/overview.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { hostStatus } from "../harness/host_status.ts";

export const NOW = new Date("2026-01-02T03:04:05.000Z");
export const never = new AbortController().signal;

/** What people are shown of a service now. */
export async function readOverview(zk: ZooKeeper, service: string): Promise<Overview> {
  return overviewOf(await ServiceMirror.look(zk, service));
}

/** A tree of its own below a server's root, with the service `web` and the builds v1, v2 and v3. */
export class Site implements AsyncDisposable {
  readonly connectString: string;
  readonly zk: ZooKeeper;
  /** Somebody else at the same tree. */
  readonly other: ZooKeeper;

  private constructor(connectString: string) {
    this.connectString = connectString;
    this.zk = new ZooKeeper({ clock: systemClock, servers: connectString });
    this.other = new ZooKeeper({ clock: systemClock, servers: connectString });
  }

  static async open(server: string, subtree: string, settings: Partial<ServiceSettings> = {}): Promise<Site> {
    await using whole = new ZooKeeper({ clock: systemClock, servers: server });
    await whole.create(subtree);
    const site = new Site(`${server}${subtree}`);
    await setService(site.zk, "web", settings);
    await ensurePath(site.zk, agentsPath);
    for (const build of ["v1", "v2", "v3"]) {
      await addBuild(site.zk, "web", build, {
        url: `file:///${build}.tar.gz`,
        digest: `sha256:${"0".repeat(63)}${build.slice(1)}`,
        size: 1,
        time: NOW.toISOString(),
      });
    }
    return site;
  }

  /** Registers a host whose agent is there, and which says that it waits for a slot. */
  async host(name: string, role: "fleet" | "canary" = "fleet", word: Partial<HostStatus> = {}): Promise<void> {
    await registerHost(this.zk, "web", name);
    if (role === "canary") await setRole(this.zk, "web", name, role);
    const record = { version: "0", bootId: "b", statusAddress: null, pid: 1, since: NOW.toISOString() };
    await this.zk.create(agentPath(name), encode(record), { mode: "ephemeral" });
    await this.zk.create(statusPath("web", name), encode(statusOf(word)));
  }

  async deploy(id: string, build: string, stage: "canary" | "fleet" = "fleet"): Promise<DeployRecord> {
    const stages = stage === "canary" ? (["canary", "fleet"] as const) : (["fleet"] as const);
    const request = { id, service: "web", build, stages: [...stages], who: "me", why: "why", limits: {}, now: NOW };
    return (await startDeploy(this.zk, request)).record;
  }

  /** Puts a deploy into a state, as a conductor would have, whatever was before. */
  async state(id: string, state: DeployState): Promise<void> {
    const { build, previous, who, why, stages, limits } = (await this.gate(id)).record;
    const record = recordIn(state, { build, previous, who, why, stages, limits });
    await this.zk.set(deployPath("web", id), encode(record));
  }

  async gate(id: string): Promise<GateRead> {
    const read = await readGate(this.zk, "web", id);
    if (read === null) throw new Error(`there is no deploy ${id}`);
    return read;
  }

  /** What a conductor would have read besides the deploy itself. */
  async basis(host: string, ...others: string[]): Promise<GrantBasis> {
    return {
      build: null,
      others: await Promise.all(others.map((id) => this.gate(id))),
      deploysVersion: (await this.zk.exists(deploysPath("web")))?.version ?? -1,
      statusVersion: (await this.zk.exists(statusPath("web", host)))?.version ?? -1,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.zk.close(), this.other.close()]);
  }
}

export function statusOf(word: Partial<HostStatus> = {}): HostStatus {
  return hostStatus({ since: NOW.toISOString(), ...word });
}
