import { expect } from "bun:test";
import { nothingHeldBack } from "../../src/core/between_services.ts";
import { conduct } from "../../src/core/rollout.ts";
import {
  hostRecordSchema,
  serviceSettingsSchema,
  type BuildRecord,
  type HostStatus,
  type Role,
} from "../../src/schema/znodes.ts";
import { addBuild } from "../../src/store/builds.ts";
import { carryOut } from "../../src/store/carry_out.ts";
import { LivingAgents } from "../../src/store/living_agents.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { conducted } from "../../src/store/mirror_marks.ts";
import { agentPath, agentsPath, hostPath, statusPath } from "../../src/store/paths.ts";
import { encode, ensurePath } from "../../src/store/records.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { hostStatus } from "../harness/host_status.ts";
import { ctl, type CtlRun } from "./terminal.ts";

interface Placed {
  readonly role?: Role;
  readonly zone?: string;
  /** Where its status port is; nowhere unless given. */
  readonly statusAddress?: string;
}

/**
 * A tree of its own, with people at a terminal, hosts that say what they are told to, and a conductor that decides as the
 * real one when it is told to.
 */
export class Yard implements AsyncDisposable {
  readonly zk: ZooKeeper;
  readonly #servers: string;
  readonly #chroot: string;

  /** @param server of a ZooKeeper, without a chroot */
  constructor(server: string) {
    this.#servers = server;
    this.#chroot = `/yard-${crypto.randomUUID()}`;
    this.zk = new ZooKeeper({ clock: systemClock, servers: server + this.#chroot });
  }

  /** A verb, and what it prints; the person's clock is right unless a test says otherwise. */
  ctl(argv: readonly string[], now = (): Date => new Date()): Promise<CtlRun> {
    return ctl(argv, { env: { DEPLOYD_ZOOKEEPER: this.#servers, DEPLOYD_CHROOT: this.#chroot }, now });
  }

  /** The same of a verb that has to do what it was asked for. */
  async done(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.ctl(argv);
    expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
    return stdout;
  }

  async json<T>(...argv: string[]): Promise<T> {
    return JSON.parse((await this.ctl([...argv, "--json"])).stdout) as T;
  }

  async build(service: string, id: string, more: Partial<BuildRecord> = {}): Promise<void> {
    const digest = `sha256:${"0".repeat(64)}` as const;
    await addBuild(this.zk, service, id, {
      url: `file:///${id}.tar.gz`,
      digest,
      size: 1,
      time: "2026-11-01T00:00:00.000Z",
      ...more,
    });
  }

  /** A host that serves nothing yet; its agent is connected. */
  async host(service: string, name: string, { role = "fleet", zone, statusAddress }: Placed = {}): Promise<void> {
    await ensurePath(this.zk, agentsPath);
    const record = hostRecordSchema.parse({ role, ...(zone === undefined ? {} : { zone }) });
    await this.zk.create(hostPath(service, name), encode(record));
    await this.zk.create(statusPath(service, name), encode(hostStatus({ step: "idle" })));
    const since = new Date().toISOString();
    const agent = { version: "0", bootId: "b", statusAddress: statusAddress ?? null, pid: 1, since };
    if ((await this.zk.exists(agentPath(name))) === null) {
      await this.zk.create(agentPath(name), encode(agent), { mode: "ephemeral" });
    }
  }

  /** The host's agent dies. */
  async away(name: string): Promise<void> {
    await this.zk.delete(agentPath(name));
  }

  /** The host says how it is under the newest deploy. */
  async says(service: string, name: string, more: Partial<HostStatus>): Promise<void> {
    const read = await ServiceMirror.look(this.zk, service, ["statuses", "deploys"]);
    const deploy = read.deploys.get(read.newest.id ?? "");
    const wish = deploy === undefined ? null : { build: deploy.record.build, deploy: deploy.id };
    const status = hostStatus({ ...read.statuses.get(name), wish, ...more });
    await this.zk.set(statusPath(service, name), encode(status));
  }

  /** The host fails under the newest deploy, and is healthy on what it served before. */
  async fails(service: string, name: string, reason: string): Promise<void> {
    const read = await ServiceMirror.look(this.zk, service, ["statuses", "deploys"]);
    const deploy = read.deploys.get(read.newest.id ?? "");
    if (deploy === undefined) throw new Error(`nothing was deployed to ${service}`);
    const { build } = deploy.record;
    const since = new Date().toISOString();
    const attempt = read.statuses.get(name)?.attempt ?? 1;
    const failure = { deploy: deploy.id, attempt, build, reason, again: 0, healthy: true, since };
    const error = { code: "check-failed", message: reason, hint: "", build, step: "check" as const };
    await this.says(service, name, { step: "failed", begun: false, failure, error, log: "boom\nbang" });
  }

  /** Rounds of a conductor, until it has nothing more to do. */
  async conducts(service: string): Promise<void> {
    for (let rounds = 0; rounds < 20; rounds += 1) if (!(await this.#round(service))) return;
    throw new Error("the conductor came to no end");
  }

  /** Every host that is to serve the newest deploy's build serves it, restarted in this time. */
  async serves(service: string, hosts: readonly string[], restartMs = 1000): Promise<void> {
    const read = await ServiceMirror.look(this.zk, service, ["deploys"]);
    const deploy = read.deploys.get(read.newest.id ?? "");
    if (deploy === undefined) throw new Error(`nothing was deployed to ${service}`);
    const { build } = deploy.record;
    for (const host of hosts) {
      const restart = {
        build,
        deploy: deploy.id,
        instances: 1,
        closed: 2,
        refused: 0,
        forced: [],
        phaseMs: { stop: restartMs },
      };
      await this.says(service, host, {
        build,
        health: "healthy",
        step: "serving",
        begun: false,
        failure: null,
        error: null,
        restart,
      });
    }
    await this.conducts(service);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.zk.close();
  }

  /** @returns whether it changed anything */
  async #round(service: string): Promise<boolean> {
    const mirror = await ServiceMirror.look(this.zk, service, conducted);
    const agents = new LivingAgents();
    await agents.refresh(this.zk);
    const { gate } = mirror;
    if (gate === null) throw new Error(`there is no gate of ${service}`);
    const now = new Date();
    const round = conduct({
      wishes: mirror.wishes,
      gate: gate.gate,
      limits: mirror.settings ?? serviceSettingsSchema.parse({}),
      heldBack: nothingHeldBack,
      deploys: mirror.deploysThatCount,
      hosts: mirror.hosts,
      status: mirror.statuses,
      unreadable: mirror.unreadable,
      barred: mirror.barred,
      builds: new Set(mirror.builds.keys()),
      alive: agents.running(service),
      missingSince: new Map(),
      nowMs: 0,
      lostAfterMs: 1000,
      serverNowMs: null,
      still: null,
      now,
      leftOut: new Set(),
    });
    if (round.moves.length + round.steps.length === 0) return false;

    const { deploysVersion, pointer, statuses, statusNodes, builds, wishNodes } = mirror;
    const basis = { gate, deploysVersion, pointer, statuses, statusNodes, builds, wishNodes, heeded: [] };
    const { refused } = await carryOut(this.zk, service, round, basis, now);
    if (refused !== null) throw new Error(`it was refused: ${JSON.stringify(refused)}`);
    return true;
  }
}
