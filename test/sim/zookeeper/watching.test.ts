import { expect, test } from "bun:test";
import type { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import type { Session } from "../../../src/zookeeper/session.ts";
import type { Chance } from "../chance.ts";
import { Stage } from "./stage.ts";
import { Weather } from "./weather.ts";

const machines = ["host-1", "host-2", "host-3"];
const STORM_MS = 90_000;

/** Somebody who wants to know what a node has, or which children, and reads it only when told that it has changed. */
class Follower {
  /** What was read last. */
  seen = "";
  reads = 0;
  readonly problems: string[] = [];
  readonly kind: "data" | "children";
  readonly #stage: Stage;
  readonly #session: Session;
  readonly #chance: Chance;
  #over = false;

  constructor(stage: Stage, session: Session, kind: "data" | "children") {
    this.kind = kind;
    this.#stage = stage;
    this.#session = session;
    this.#chance = stage.chance.fork(`follower of ${session.client.sessionId} ${kind}`);
    void this.#follow();
    session.onEpoch(() => void this.#follow());
  }

  stop(): void {
    this.#over = true;
  }

  async #follow(): Promise<void> {
    const { client } = this.#session;
    while (!this.#over && client === this.#session.client) {
      const changed = Promise.withResolvers<void>();
      let told = false;
      const watch = (): void => {
        told = true;
        changed.resolve();
      };
      try {
        await this.#read(client, watch);
        this.reads += 1;
        // An answer that shows a change comes after the event, that of one's own change included.
        if (this.kind === "data" && this.#chance.happens(0.2)) {
          await client.set("/a", "mine");
          if (!told) this.problems.push("the answer to a change came before its event");
        }
        await changed.promise;
      } catch (error) {
        if (!isZooKeeperError(error)) throw error;
        client.unwatch("/a", watch);
        await this.#stage.sleep(10);
      }
    }
  }

  async #read(client: ZooKeeper, watch: () => void): Promise<void> {
    if (this.kind === "data") this.seen = Buffer.from((await client.get("/a", { watch })).data).toString();
    else this.seen = (await client.children("/a", { watch })).children.toSorted().join();
  }
}

test.each([1, 3, 5] as const)(
  "who waits for changes at %d servers misses none, whatever happens meanwhile",
  (servers) => {
    let reads = 0;
    let epochs = 0;
    for (let seed = 0; seed < 12; seed += 1) {
      const stage = new Stage(`watching ${servers} ${seed}`, servers);
      const { ensemble, chance } = stage;
      const writer = stage.session("laptop");
      stage.play(() => writer.client.create("/a", "0"));
      const sessions = machines.map((machine) => stage.session(machine));
      const followers = sessions.flatMap((session) => [
        new Follower(stage, session, "data"),
        new Follower(stage, session, "children"),
      ]);
      for (const [index, session] of sessions.entries()) void session.ephemeral(`/a/${machines[index]}`, "");
      const weather = new Weather(ensemble, chance.fork("weather"), [...machines, "laptop"], 2_500);
      let written = 0;
      const write = async (): Promise<void> => {
        const value = `${(written += 1)}`;
        const { client } = writer;
        const work = chance.happens(0.5) ? client.set("/a", value) : client.create(`/a/n${value}`);
        await work.catch(() => undefined);
      };
      stage.play(async () => {
        while (stage.time.nowMs < STORM_MS) {
          await stage.sleep(chance.between(1, 600));
          await write();
        }
        weather.clear();
        await stage.sleep(30_000);
      });
      const committed = {
        data: Buffer.from(ensemble.read("/a")?.data ?? "").toString(),
        children: ensemble.children("/a").toSorted().join(),
      };
      for (const follower of followers) {
        expect([follower.seen, follower.problems]).toEqual([committed[follower.kind], []]);
        reads += follower.reads;
        follower.stop();
      }
      expect(stage.errors).toEqual([]);
      for (const session of sessions) epochs += session.epoch - 1;
    }
    expect([reads > 2_000, epochs > 0]).toEqual([true, true]);
  },
);

test("the same seed plays the same, and another does not", () => {
  const traceOf = (seed: string): string => {
    const stage = new Stage(seed, 3);
    const trace = new Bun.CryptoHasher("sha256");
    stage.ensemble.onCommit(({ zxid, atMs, request, changes }) => {
      trace.update(`${zxid} ${atMs} ${request.kind} ${changes.map(({ type, path }) => `${type} ${path}`).join()}\n`);
    });
    const sessions = machines.map((machine) => stage.session(machine));
    for (const session of sessions) session.onState(({ kind }) => void trace.update(`${stage.time.nowMs} ${kind}\n`));
    for (const [index, session] of sessions.entries()) void session.ephemeral(`/${index}`, "");
    const weather = new Weather(stage.ensemble, stage.chance.fork("weather"), machines, 1_000);
    stage.time.run(STORM_MS);
    weather.clear();
    stage.time.run(STORM_MS + 20_000);
    return trace.update(`${stage.time.events}`).digest("hex");
  };
  expect(traceOf("one")).toBe(traceOf("one"));
  expect(traceOf("one")).not.toBe(traceOf("two"));
});
