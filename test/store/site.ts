import type { DeployMove } from "../../src/core/deploy.ts";
import { conduct } from "../../src/core/rollout.ts";
import { canariesFirst, toEverybody } from "../../src/core/stages.ts";
import type { GateMove } from "../../src/core/gate.ts";
import type { DeployRecord, DeployState } from "../../src/schema/deploy_record.ts";
import {
  serviceSettingsSchema,
  type Failure,
  type HostStatus,
  type ServiceSettings,
  type Slot,
} from "../../src/schema/znodes.ts";
import { addBuild } from "../../src/store/builds.ts";
import { readGate, type GateRead } from "../../src/store/gate.ts";
import { carryOut, type RoundBasis, type RoundOutcome } from "../../src/store/carry_out.ts";
import { LivingAgents } from "../../src/store/living_agents.ts";
import { readDeploy } from "../../src/store/deploys.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { agentPath, agentsPath, deployPath, statusPath } from "../../src/store/paths.ts";
import { encode, ensurePath } from "../../src/store/records.ts";
import { registerHost, setRole } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { startDeploy, type DeployRequest, type Started } from "../../src/store/start_deploy.ts";
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
    return this.start({ id, build, stages: stage === "canary" ? canariesFirst : toEverybody });
  }

  /** Starts a deploy that says nothing of its own but this. */
  async start(request: Pick<DeployRequest, "id" | "build"> & Partial<DeployRequest>): Promise<DeployRecord> {
    return (await startDeploy(this.zk, { ...this.#mine, ...request })).record;
  }

  /** The same with a deploy that ends the one under way. */
  async startUrgent(
    request: Pick<DeployRequest, "id" | "build"> & Partial<DeployRequest>,
    zk = this.zk,
  ): Promise<Started> {
    return startDeploy(zk, { ...this.#mine, ...request, urgent: true });
  }

  get #mine() {
    return { service: "web", who: "me", why: "why", limits: {}, now: NOW };
  }

  /** Puts a deploy into a state, as a conductor would have, whatever was before. */
  async state(id: string, state: DeployState): Promise<void> {
    const { build, previous, before, who, why, stages, limits, onHalt, acts } = await this.record(id);
    const record = recordIn(state, { build, previous, before, who, why, stages, limits, onHalt, acts });
    await this.zk.set(deployPath("web", id), encode(record));
  }

  /** The same of a deploy whose other facts stay what they are. @param changes to those facts */
  async comesTo(id: string, state: DeployState, changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { state: _, times: __, ...facts } = await this.record(id);
    await this.zk.set(deployPath("web", id), encode(recordIn(state, { ...facts, ...changes })));
  }

  async record(id: string): Promise<DeployRecord> {
    return (await readDeploy(this.zk, "web", id)).record;
  }

  /** Who is out of service by our leave, and who failed. */
  async gate(): Promise<GateRead> {
    const read = await readGate(this.zk, "web");
    if (read === null) throw new Error('there is no gate of "web"');
    return read;
  }

  /** What a conductor reads before it decides. */
  async basis(): Promise<RoundBasis & Pick<ServiceMirror, "deploys">> {
    return basisOf(await this.#mirror());
  }

  /** Makes these changes as a conductor would that has read everything just now, and nothing forbids them. */
  async moves(...moves: GateMove[]): Promise<RoundOutcome> {
    return carriedOut(await carryOut(this.zk, "web", { moves, steps: [] }, await this.basis(), NOW));
  }

  /** Moves a deploy, whatever its hosts are at. */
  async step(id: string, move: DeployMove): Promise<RoundOutcome> {
    const basis = await this.basis();
    const deploy = basis.deploys.get(id);
    if (deploy === undefined) throw new Error(`there is no deploy ${id}`);
    return carriedOut(await carryOut(this.zk, "web", { moves: [], steps: [{ deploy, move }] }, basis, NOW));
  }

  /** One round of a conductor: what it decides by all that stands there now. */
  async round(): Promise<RoundOutcome> {
    const mirror = await this.#mirror();
    const agents = new LivingAgents();
    await agents.refresh(this.zk);
    const round = conduct({
      wishes: mirror.wishes,
      gate: mirror.gate?.gate ?? null,
      limits: mirror.settings ?? serviceSettingsSchema.parse({}),
      heldBack: { service: null, host: () => null },
      deploys: mirror.deploysThatCount,
      hosts: mirror.hosts,
      status: mirror.statuses,
      unreadable: mirror.unreadable,
      barred: mirror.barred,
      builds: new Set(mirror.builds.keys()),
      alive: agents.running("web"),
      missingSince: new Map(),
      nowMs: 0,
      lostAfterMs: 0,
      serverNowMs: NOW.getTime(),
      still: null,
      now: NOW,
      leftOut: new Set(),
    });
    return carriedOut(await carryOut(this.zk, "web", round, basisOf(mirror), NOW));
  }

  async #mirror(): Promise<ServiceMirror> {
    const mirror = new ServiceMirror("web");
    await mirror.refresh(this.zk);
    return mirror;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.zk.close(), this.other.close()]);
  }
}

function basisOf(mirror: ServiceMirror): RoundBasis & Pick<ServiceMirror, "deploys"> {
  const { gate, deploys, deploysVersion, pointer, statuses, statusNodes, builds, wishNodes } = mirror;
  if (gate === null) throw new Error('there is no gate of "web"');
  return { gate, heeded: [], deploys, deploysVersion, pointer, statuses, statusNodes, builds, wishNodes };
}

function carriedOut(outcome: RoundOutcome): RoundOutcome {
  if (outcome.refused !== null) throw new Error(`refused: ${JSON.stringify(outcome.refused)}`);
  return outcome;
}

/** A slot of the host's first attempt. */
export function slotOf(changes: Partial<Slot> = {}): Slot {
  return { deploy: "d1", attempt: 1, build: "v1", since: NOW.toISOString(), record: 0, ...changes };
}

/** A host that did not start in its first attempt, and is back. */
export function failureOf(changes: Partial<Failure> = {}): Failure {
  const told = { deploy: "d1", attempt: 1, build: "v1", reason: "it does not start", again: 0, healthy: true };
  return { ...told, since: NOW.toISOString(), round: 1, ...changes };
}

export function statusOf(word: Partial<HostStatus> = {}): HostStatus {
  return hostStatus({ since: NOW.toISOString(), ...word });
}
