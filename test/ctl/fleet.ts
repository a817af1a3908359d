import type { DeployMove } from "../../src/core/deploy.ts";
import { baseNow } from "../../src/core/limit_base.ts";
import { buildWanted } from "../../src/core/deploy_state.ts";
import type { GateMove } from "../../src/core/gate.ts";
import type { OnHalt } from "../../src/schema/on_halt.ts";
import { hostRecordSchema, type HostStatus, type HostStep } from "../../src/schema/znodes.ts";
import { carryOut } from "../../src/store/carry_out.ts";
import { readHead } from "../../src/store/deploys.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { conducted } from "../../src/store/mirror_marks.ts";
import { agentPath, agentsPath, hostPath, statusPath } from "../../src/store/paths.ts";
import { encode, ensurePath, readRecord } from "../../src/store/records.ts";
import { registerHost } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { readOverview } from "../store/site.ts";
import { eventually } from "../harness/eventually.ts";
import { hostStatus } from "../harness/host_status.ts";

/**
 * Hosts and a conductor that do exactly what a test tells them, by writing what real ones would write. What is tested is
 * how `deployd ctl` tells it, so nothing may happen by itself.
 */
export class PuppetFleet implements AsyncDisposable {
  readonly #zk: ZooKeeper;
  readonly #service: string;

  /** @param servers with the chroot */
  constructor(servers: string, service: string) {
    this.#zk = new ZooKeeper({ clock: systemClock, servers, operationTimeoutMs: 10_000 });
    this.#service = service;
  }

  /** The host's agent starts and registers it. */
  async join(host: string): Promise<void> {
    await registerHost(this.#zk, this.#service, host);
    await ensurePath(this.#zk, statusPath(this.#service, host));
    await ensurePath(this.#zk, agentsPath);
    const agent = { version: "0.1.0", bootId: "b", statusAddress: null, pid: 1, since: new Date().toISOString() };
    await this.#zk.create(agentPath(host), encode(agent), { mode: "ephemeral" });
  }

  /** The host's agent dies. */
  async leave(host: string): Promise<void> {
    await this.#zk.delete(agentPath(host));
  }

  async say(host: string, step: HostStep, more: Partial<HostStatus> = {}): Promise<void> {
    const { id, build } = await this.#deploy();
    const now = { wish: { build, deploy: id }, step, since: new Date().toISOString() };
    const status = hostStatus({ ...now, ...(step === "serving" ? { build, health: "healthy" } : {}), ...more });
    await this.#zk.set(statusPath(this.#service, host), encode(status));
  }

  /** The conductor gives the host a slot, and the host begins by it. */
  async grant(host: string): Promise<void> {
    const { id, build, version } = await this.#deploy();
    const slot = { deploy: id, attempt: 1, build, since: new Date().toISOString(), record: version };
    await this.#round([{ kind: "grant", host, slot }]);
    await this.say(host, "begun", { begun: true });
  }

  /** The host serves the build, and the conductor takes its slot back. */
  async succeed(host: string): Promise<void> {
    await this.say(host, "serving");
    await this.#round([{ kind: "release", host, healthy: true }]);
  }

  /**
   * The host fails, is back on what it served before, or was left ill, and the conductor makes a failure of its slot.
   */
  async fail(host: string, message: string, log: string, healthy = true): Promise<void> {
    const { id, build, round, again } = await this.#deploy();
    const failure = { deploy: id, attempt: 1, build, reason: message, again, healthy, since: new Date().toISOString() };
    const error = { code: "check-failed", message, hint: "Look at the log.", build, step: "check" as const };
    const health = healthy ? "healthy" : "unhealthy";
    await this.say(host, "failed", { build: "previous", health, failure, error, log });
    await this.#round([{ kind: "fail", host, failure: { ...failure, round } }]);
  }

  /** The conductor sees that a person has unlocked the host, and gives its capacity back. */
  async obey(host: string): Promise<void> {
    const isUnlocked = async (): Promise<boolean> => {
      const found = await readRecord(this.#zk, hostPath(this.#service, host), hostRecordSchema);
      return found?.value.unlocked !== undefined;
    };
    await eventually(isUnlocked);
    await this.#round([{ kind: "heal", host }]);
  }

  /** The conductor sees that a person asks for the host, or has given it back. */
  async hold(host: string, isHeld = true): Promise<void> {
    const asked = async () => (await readRecord(this.#zk, hostPath(this.#service, host), hostRecordSchema))?.value.hold;
    await eventually(async () => ((await asked()) !== undefined) === isHeld);
    const { who = "", why = "" } = (await asked()) ?? {};
    const hold = { hold: true, who, why, since: new Date().toISOString() } as const;
    await this.#round([isHeld ? { kind: "hold", host, hold } : { kind: "unhold", host }]);
  }

  /** The conductor moves the deploy. */
  async move(move: DeployMove): Promise<void> {
    await this.#round([], move);
  }

  /** The first host moves. */
  async activate(): Promise<void> {
    const { hosts, statuses } = await readOverview(this.#zk, this.#service);
    await this.move({ to: "activating", base: baseNow({ hosts, status: statuses }) });
  }

  /** Every host serves the build at once, and the conductor says so. */
  async serveAll(to: "done" | "rolled back" = "done"): Promise<void> {
    const overview = await readOverview(this.#zk, this.#service);
    for (const host of overview.deploy?.progress.hosts ?? []) await this.say(host, "serving");
    if (overview.deploy?.record.state === "preparing") await this.activate();
    await this.move({ to, cost: null });
  }

  /** The id of the newest deploy, null where there is none or no service. */
  async newest(): Promise<string | null> {
    return (await readHead(this.#zk, this.#service)).latest?.id ?? null;
  }

  /** What is done when the newest deploy halts. */
  async policy(): Promise<OnHalt | undefined> {
    return (await readHead(this.#zk, this.#service)).latest?.record.onHalt;
  }

  /** Somebody writes a record by hand, or over one. */
  async spoil(path: string, data: string): Promise<void> {
    await ensurePath(this.#zk, path);
    await this.#zk.set(path, data);
  }

  /** Somebody deletes a node by hand. */
  async lose(path: string): Promise<void> {
    await this.#zk.delete(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zk.close();
  }

  async #deploy(): Promise<{ id: string; build: string; round: number; again: number; version: number }> {
    const { latest } = await readHead(this.#zk, this.#service);
    if (latest === null) throw new Error("there is no deploy");
    const { id, record, version } = latest;
    return { id, build: buildWanted(record), round: record.round, again: record.again, version };
  }

  /** Makes these changes to slots and failures, and this one to the newest deploy, as a conductor does. */
  async #round(moves: readonly GateMove[], move?: DeployMove): Promise<void> {
    const read = await ServiceMirror.look(this.#zk, this.#service, conducted);
    const { gate, newest } = read;
    const deploy = read.deploys.get(newest.id ?? "");
    if (gate === null || deploy === undefined) throw new Error(`"${this.#service}" has no gate or no deploy`);
    const { deploysVersion, pointer, statuses, statusNodes, builds, wishNodes } = read;
    const basis = { gate, heeded: [], deploysVersion, pointer, statuses, statusNodes, builds, wishNodes };
    const round = { moves, steps: move === undefined ? [] : [{ deploy, move }] };
    const { refused } = await carryOut(this.#zk, this.#service, round, basis, new Date());
    if (refused !== null) throw new Error(`it was refused: ${JSON.stringify(refused)}`);
  }
}
