import { z } from "zod";
import { hostStatusSchema, slotSchema, type HostStatus } from "../../src/schema/znodes.ts";
import { agentPath, deployPath, slotPath, statusPath } from "../../src/store/paths.ts";
import { encode, readRecord } from "../../src/store/records.ts";
import { registerHost, setRole } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { op, ZooKeeper } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { readWish } from "../service/wish.ts";
import { NOW, statusOf } from "../store/site.ts";

export type Fate = "good" | "bad" | "dies";

/** The hosts that have begun and do not serve again, by their own account, and how many they were at the most. */
export class Outage {
  readonly out = new Set<string>();
  /** All that have begun so far, in order. */
  readonly begun: string[] = [];
  most = 0;

  begins(host: string): void {
    this.out.add(host);
    this.begun.push(host);
    this.most = Math.max(this.most, this.out.size);
  }
}

export interface FakeHostOptions {
  readonly connectString: string;
  readonly outage: Outage;
  readonly role?: "fleet" | "canary";
  readonly zone?: string;
  /** Unless given, "web". */
  readonly service?: string;
  /** What becomes of a build here. */
  readonly fate?: (build: string) => Fate;
  /** Once it has begun it goes on only then. */
  readonly until?: Promise<void>;
}

/** A host that does what an agent does as far as ZooKeeper can see: it asks, begins by its slot, and says how it went. */
export class FakeHost implements AsyncDisposable {
  readonly name: string;
  readonly #zk: ZooKeeper;
  readonly #options: FakeHostOptions;
  readonly #service: string;
  build: string | null = null;
  #attempt = 0;
  #taken = "";
  #failure: HostStatus["failure"] = null;
  /** How many times its deploy had been tried again when it failed last. */
  #failedAgain = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(name: string, options: FakeHostOptions) {
    this.name = name;
    this.#options = options;
    this.#service = options.service ?? "web";
    this.#zk = new ZooKeeper({ clock: systemClock, servers: options.connectString, sessionTimeoutMs: 2_000 });
  }

  static async start(name: string, options: FakeHostOptions): Promise<FakeHost> {
    const host = new FakeHost(name, options);
    await registerHost(host.#zk, host.#service, name, options.zone);
    if (options.role === "canary") await setRole(host.#zk, host.#service, name, options.role);
    await host.#zk.create(statusPath(host.#service, name), host.#status("idle", null));
    const record = { version: "0", bootId: "b", statusAddress: null, pid: 1, since: NOW.toISOString() };
    // Of a machine with two services there is one agent.
    if ((await host.#zk.exists(agentPath(name))) === null)
      await host.#zk.create(agentPath(name), encode(record), { mode: "ephemeral" });
    host.#running = host.#run();
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await this.#zk.close();
  }

  #status(step: HostStatus["step"], wish: HostStatus["wish"], begun = false): string {
    const health = this.build === null ? "nothing" : "healthy";
    const facts = { build: this.build, health, wish, step, begun, attempt: this.#attempt } as const;
    return encode(statusOf({ ...facts, failure: this.#failure }));
  }

  async #says(step: HostStatus["step"], wish: HostStatus["wish"], begun = false): Promise<void> {
    await this.#zk.set(statusPath(this.#service, this.name), this.#status(step, wish, begun));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#round();
      await Bun.sleep(5);
    }
  }

  async #round(): Promise<void> {
    const wished = await readWish(this.#zk, this.#service, this.name);
    if (wished === null) return;
    const { again, ...wish } = wished;
    const hasFailedNow = this.#failure?.attempt === this.#attempt;
    if (this.#taken !== `${wish.deploy}/${wish.build}` || (hasFailedNow && again > this.#failedAgain)) {
      this.#taken = `${wish.deploy}/${wish.build}`;
      this.#attempt += 1;
      if (this.build === wish.build) this.#failure = null;
      await this.#says(this.build === wish.build ? "serving" : "ready", wish);
    }
    const hasFailed = this.#failure?.attempt === this.#attempt;
    if (this.build === wish.build || hasFailed || !(await this.#begins(wish))) return;
    this.#options.outage.begins(this.name);
    // Long enough for a conductor that counts wrong to let another one out as well.
    await Bun.sleep(20);
    await this.#options.until;
    await this.#meet(this.#options.fate?.(wish.build) ?? "good", wish, again);
  }

  /** As an agent does: in one transaction its slot is there, the deploy allows it, and it says that it has begun. */
  async #begins(wish: NonNullable<HostStatus["wish"]>): Promise<boolean> {
    const path = slotPath(this.#service, this.name);
    // What is no slot is a hold, by which nobody begins.
    const slot = slotSchema.safeParse((await readRecord(this.#zk, path, z.unknown()))?.value).data;
    if (slot?.deploy !== wish.deploy || slot.attempt !== this.#attempt || slot.build !== wish.build) return false;
    try {
      await this.#zk.multi([
        op.check(path),
        op.check(deployPath(this.#service, slot.deploy), slot.record),
        op.set(statusPath(this.#service, this.name), this.#status("begun", wish, true)),
      ]);
      return true;
    } catch (error) {
      if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) throw error;
      return false;
    }
  }

  async #meet(fate: Fate, wish: NonNullable<HostStatus["wish"]>, again: number): Promise<void> {
    const { out } = this.#options.outage;
    if (fate === "dies") {
      this.#stopped = true;
      await this.#zk.close();
      return;
    }
    if (fate === "good") {
      out.delete(this.name);
      this.#failure = null;
      this.build = wish.build;
      return this.#says("serving", wish);
    }
    const told = { ...wish, attempt: this.#attempt, reason: "bad", again, since: NOW.toISOString() };
    this.#failedAgain = again;
    // Told from the moment at which the check fails, while it still goes back.
    this.#failure = { ...told, healthy: false };
    await this.#says("check", wish, true);
    out.delete(this.name);
    this.#failure = { ...told, healthy: true };
    return this.#says("failed", wish);
  }
}

/** What a host says of itself in ZooKeeper. */
export async function saidBy(zk: ZooKeeper, host: string): Promise<HostStatus | null> {
  return (await readRecord(zk, statusPath("web", host), hostStatusSchema))?.value ?? null;
}
