import type { DeployMove } from "../../src/core/deploy.ts";
import { buildWanted } from "../../src/core/deploy_state.ts";
import { withFailure, withoutSlot, withSlot } from "../../src/core/gate.ts";
import type { Failure, HostStatus, HostStep } from "../../src/schema/znodes.ts";
import { moveDeploy } from "../../src/store/change_deploy.ts";
import { readHead } from "../../src/store/deploys.ts";
import { readGate } from "../../src/store/gate.ts";
import { agentPath, agentsPath, gatePath, statusPath } from "../../src/store/paths.ts";
import { encode, ensurePath } from "../../src/store/records.ts";
import { registerHost } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { readOverview } from "../store/site.ts";
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

  /** The conductor gives the host a slot. */
  async grant(host: string): Promise<void> {
    const { id, gate, gateVersion } = await this.#gate();
    const next = withSlot(gate, host, { attempt: 1, since: new Date().toISOString() });
    await this.#zk.set(gatePath(this.#service, id), encode(next), gateVersion);
  }

  /** The host serves the build and gives its slot back. */
  async succeed(host: string): Promise<void> {
    const { id, gate, gateVersion } = await this.#gate();
    await this.#zk.set(gatePath(this.#service, id), encode(withoutSlot(gate, host)), gateVersion);
    await this.say(host, "serving");
  }

  /** The host fails, is back on what it served before, and its slot becomes a failure. */
  async fail(host: string, message: string, log: string): Promise<void> {
    const { id, build } = await this.#deploy();
    const since = new Date().toISOString();
    const { gate, gateVersion } = await this.#gate();
    const failure: Failure = { reason: message, build, healthy: true, since };
    const error = { code: "check-failed", message, hint: "Look at the log.", build, step: "check" as const };
    await this.say(host, "failed", { build: "previous", health: "healthy", error, log });
    await this.#zk.set(gatePath(this.#service, id), encode(withFailure(gate, host, failure)), gateVersion);
  }

  /** The conductor moves the deploy. */
  async move(move: DeployMove): Promise<void> {
    const { latest } = await readHead(this.#zk, this.#service);
    if (latest === null) throw new Error("there is no deploy");
    await moveDeploy(this.#zk, this.#service, latest, move, new Date());
  }

  /** Every host serves the build at once, and the conductor says so. */
  async serveAll(to: "done" | "rolled back" = "done"): Promise<void> {
    const overview = await readOverview(this.#zk, this.#service);
    for (const host of overview.deploy?.progress.hosts ?? []) await this.say(host, "serving");
    if (overview.deploy?.record.state === "preparing") await this.move({ to: "activating" });
    await this.move({ to });
  }

  /** The id of the newest deploy, null where there is none or no service. */
  async newest(): Promise<string | null> {
    return (await readHead(this.#zk, this.#service)).latest?.id ?? null;
  }

  /** Somebody writes over a record by hand. */
  async spoil(path: string, data: string): Promise<void> {
    await this.#zk.set(path, data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zk.close();
  }

  async #deploy(): Promise<{ id: string; build: string }> {
    const { latest } = await readHead(this.#zk, this.#service);
    if (latest === null) throw new Error("there is no deploy");
    const { id, record } = latest;
    return { id, build: buildWanted(record) };
  }

  async #gate() {
    const { id } = await this.#deploy();
    const read = await readGate(this.#zk, this.#service, id);
    if (read === null) throw new Error(`deploy ${id} has no gate`);
    return read;
  }
}
