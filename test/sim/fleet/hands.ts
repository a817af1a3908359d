import { done, started, activating } from "../../../src/core/deploy.ts";
import { toEverybody } from "../../../src/core/stages.ts";
import { layoutOf } from "../../../src/steps/layout.ts";
import {
  canaryPath,
  deployPath,
  enabledPath,
  failurePath,
  gatePath,
  hostPath,
  rootPath,
  slotPath,
  statusPath,
} from "../../../src/store/paths.ts";
import { encode } from "../../../src/store/records.ts";
import { op, ZooKeeper } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import { currentDirectory, readRelease } from "../host/release.ts";
import { BEGINNING_MS, virtualClock } from "../time.ts";
import { AGENT_FILE } from "./agent_process.ts";
import { SERVICE, type Fleet } from "./fleet.ts";

/** How much is put into one transaction. */
const AT_ONCE = 10;
/** Of a tree or a journal that only a deployd to come understands. */
const NEWER = 99;

/** What people do beside `deployd ctl`: with zkCli in the tree, and with an editor on the hosts. */
export class Hands {
  readonly #fleet: Fleet;
  #sessions = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Writes a wish as another program would: the build's id and nothing else. */
  async wish(stage: "fleet" | "canary", build: string): Promise<void> {
    const path = stage === "canary" ? canaryPath(SERVICE) : enabledPath(SERVICE);
    await this.#zkCli(`set ${path} ${build}`, async (zk) => {
      if (await zk.exists(path)) await zk.set(path, build);
      else await zk.create(path, build);
    });
  }

  /** What a service has behind it that was deployed for years. */
  async past(count: number): Promise<void> {
    await this.#zkCli(`import ${count} deploys`, async (zk) => {
      for (let from = 0; from < count; from += AT_ONCE) {
        const numbers = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, at) => from + at);
        await zk.multi(numbers.flatMap((number) => pastDeploy(number)));
      }
    });
  }

  /** Damages a record, and puts it right after a while, where nobody else has. */
  async damage(forMs: number): Promise<void> {
    const { tree, chance } = this.#fleet;
    const host = chance.pick([...tree.hosts.keys()]);
    const deploy = tree.newest()?.id ?? "";
    const path = chance.pick([
      hostPath(SERVICE, host),
      statusPath(SERVICE, host),
      deployPath(SERVICE, deploy),
      gatePath(SERVICE),
      ...[...tree.gate.slots.keys()].map((name) => slotPath(SERVICE, name)),
      ...[...tree.gate.failed.keys()].map((name) => failurePath(SERVICE, name)),
    ]);
    await this.#forAWhile(path, "{ oops", forMs);
  }

  /** Somebody tries a newer deployd on this tree, and thinks better of it. */
  async newerTree(forMs: number): Promise<void> {
    await this.#forAWhile(rootPath, encode({ format: NEWER }), forMs);
  }

  /** An agent that was newer, and has left a journal that only it can go by. */
  async newerJournal(host: string, forMs: number): Promise<void> {
    const { disk, life, isUp } = this.#fleet.host(host);
    const path = layoutOf(this.#fleet.service.root).state;
    const kept = isUp && life !== null ? disk.read(path, true) : null;
    if (kept === null) return;
    this.#fleet.host(host).killAgent();
    this.#put(host, path, JSON.stringify({ version: NEWER, attempt: { stage: 3 }, activation: "see attempt" }));
    await this.#pause(forMs);
    this.#put(host, path, Buffer.from(kept.bytes).toString());
  }

  /**
   * Starts what is down and what deployd leaves so: a service that was started by hand and went with a power cut, of which
   * it does not know that processes are missing, and one that could not be brought back.
   */
  startWhatIsDown(): void {
    const { hosts, service, tree, story } = this.#fleet;
    for (const host of hosts) {
      const status = tree.statuses.get(host.name);
      const isLeft = status?.step === "serving" || status?.step === "failed";
      if (!host.isUp || !isLeft || status.health !== "unhealthy") continue;
      const directory = currentDirectory(host.ground, service.root);
      const release = directory === null ? null : readRelease(host.ground, directory);
      if (release === null || service.instances.some(({ port }) => host.running.at(port) !== null)) continue;
      story.tell("console", `starts ${release.program.build} on ${host.name}`);
      for (const instance of service.instances) host.running.start({ service, instance, release, byInit: false });
    }
  }

  /** A directory lies where a release belongs. */
  inTheWay(host: string, build: string): void {
    if (!this.#fleet.host(host).isUp) return;
    this.#put(host, `${layoutOf(this.#fleet.service.root).release(build)}/notes.txt`, "to be tried by hand\n");
  }

  /** The agent's own file is changed, once with a mistake in it where that is asked for, and the agent started anew. */
  async configure(host: string, file: string, mistakeMs: number): Promise<void> {
    const agent = this.#fleet.agents.get(host);
    if (mistakeMs > 0) {
      this.#put(host, AGENT_FILE, "[services.web\n");
      agent?.terminate();
      await this.#pause(mistakeMs);
    }
    this.#put(host, AGENT_FILE, file);
    if (mistakeMs === 0) agent?.terminate();
  }

  #put(host: string, path: string, text: string): void {
    this.#fleet.story.tell("editor", `writes ${path} on ${host}`);
    this.#fleet.host(host).putFile(path, text);
  }

  async #forAWhile(path: string, data: string, forMs: number): Promise<void> {
    let before: { readonly data: Uint8Array; readonly version: number } | null = null;
    await this.#zkCli(`set ${path} ${data}`, async (zk) => {
      const old = await zk.get(path);
      before = { data: old.data, version: old.stat.version + 1 };
      await zk.set(path, data, old.stat.version);
    });
    await this.#pause(forMs);
    const restore = async (zk: ZooKeeper): Promise<void> => {
      if (before !== null) await zk.set(path, before.data, before.version);
    };
    // Somebody who has written it meanwhile has put it right.
    while (!(await this.#zkCli(`set ${path} to what it was`, restore))) await this.#pause(1_000);
  }

  /** @returns false when nobody answered, and it may have happened or not */
  async #zkCli(words: string, work: (zk: ZooKeeper) => Promise<void>): Promise<boolean> {
    const { ensemble, story, time, chance } = this.#fleet;
    story.tell("zkCli", words);
    this.#sessions += 1;
    const zk = new ZooKeeper({
      clock: virtualClock(time, chance.fork(`zkCli ${this.#sessions}`)),
      servers: `${ensemble.connectString}/deployd`,
      dial: ensemble.dialFrom("laptop-zkCli"),
    });
    try {
      await work(zk);
      return true;
    } catch (error) {
      story.tell("zkCli", String(error));
      return isZooKeeperError(error, "BAD_VERSION", "NO_NODE", "NODE_EXISTS");
    } finally {
      await zk.close();
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#fleet.time.after(ms, resolve));
  }
}

const DAY_MS = 86_400_000;

function pastDeploy(number: number) {
  const now = new Date(BEGINNING_MS - (100 - number) * DAY_MS);
  const day = now.toISOString().slice(0, 10).replaceAll("-", "");
  const id = `${day}-120000-${String(number).padStart(4, "0")}`;
  const limits = { max: 1, budget: 0, soakMs: 0 };
  const stages = [...toEverybody];
  const plan = {
    build: "v0",
    previous: null,
    before: null,
    who: "cleo",
    why: "",
    stages,
    limits,
    onHalt: "ask",
    now,
  } as const;
  const record = done(activating(started(plan), { hosts: 3, zones: {} }, now), now);
  return [op.create(deployPath(SERVICE, id), encode(record))];
}
