import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type WatchEvent } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { eventually } from "../harness/eventually.ts";
import { fourLetters, startEnsemble, type RealEnsemble, type RealZooKeeper } from "../harness/zookeeper.ts";

const ROUNDS = 20;
let ensemble: RealEnsemble;

beforeAll(async () => void (ensemble = await startEnsemble(3)), 60_000);
afterAll(() => ensemble.stop());

/** The server that this client is connected to now. */
async function serverOf(zk: ZooKeeper): Promise<RealZooKeeper> {
  return eventually(() => {
    const { state } = zk;
    return state.kind === "connected" && ensemble.servers.find((server) => server.connectString === state.server);
  }, 20_000);
}

/** Until every server follows or leads: a quorum must be left when the next one is killed. */
async function allServe(): Promise<void> {
  for (const { port } of ensemble.servers) {
    await eventually(async () => /Mode: (leader|follower)/.test(await fourLetters(port, "srvr")), 30_000);
  }
}

/** A write that is certain: repeated while its outcome is open, which here does nothing twice. */
async function writeUntilKnown(zk: ZooKeeper, path: string, data: string): Promise<void> {
  for (;;) {
    try {
      await zk.set(path, data);
      return;
    } catch (error) {
      if (!isZooKeeperError(error, "CONNECTION_LOSS")) throw error;
    }
  }
}

/** A read whose answer was lost is asked again. */
async function readUntilKnown(zk: ZooKeeper, path: string): Promise<string> {
  for (;;) {
    try {
      return new TextDecoder().decode((await zk.get(path)).data);
    } catch (error) {
      if (!isZooKeeperError(error, "CONNECTION_LOSS")) throw error;
    }
  }
}

test("an operation at the moment when the server in use is killed is answered by another, and nothing of the session is lost", async () => {
  await using zk = new ZooKeeper({ clock: systemClock, servers: ensemble.connectString });
  const events: WatchEvent[] = [];
  await zk.create("/failover", "0");
  await zk.create("/failover/mine", "", { mode: "ephemeral" });
  await zk.addWatch("/failover", "persistent-recursive", (event) => void events.push(event));
  const { sessionId } = zk;
  const tookMs: { read: number; write: number; led: boolean }[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    await allServe();
    const victim = await serverOf(zk);
    const led = (await ensemble.leader()) === victim;
    const startedAt = performance.now();
    const killed = victim.kill();
    const [read, write] = await Promise.all([
      readUntilKnown(zk, "/failover").then(() => performance.now() - startedAt),
      writeUntilKnown(zk, "/failover", `${round}`).then(() => performance.now() - startedAt),
    ]);
    tookMs.push({ read, write, led });
    await killed;
    const seen = events.length;
    await victim.restart();
    // The watch is there on the new server too.
    await writeUntilKnown(zk, "/failover", `${round} seen`);
    await eventually(() => events.slice(seen).some((event) => event.type === "data-changed"));
  }
  expect(zk.sessionId).toBe(sessionId);
  expect((await zk.exists("/failover/mine"))?.ephemeralOwner).toBe(sessionId);
  for (const kind of ["read", "write"] as const) {
    const sorted = tookMs.map((each) => each[kind]).toSorted((a, b) => a - b);
    const leaders = tookMs.filter((each) => each.led).length;
    console.log(
      `${kind} at the kill of the server in use (${leaders} of ${ROUNDS} times the leader): median ${sorted[ROUNDS / 2]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`,
    );
  }
}, 180_000);

test("a rolling restart of the ensemble loses no session, no ephemeral node and no write", async () => {
  await using zk = new ZooKeeper({ clock: systemClock, servers: ensemble.connectString });
  await zk.create("/rolling", "0");
  await zk.create("/rolling/mine", "", { mode: "ephemeral" });
  const { sessionId } = zk;
  for (const [index, server] of ensemble.servers.entries()) {
    await allServe();
    await server.kill();
    await writeUntilKnown(zk, "/rolling", `${index}`);
    await server.restart();
  }
  await allServe();
  expect(await readUntilKnown(zk, "/rolling")).toBe("2");
  expect(zk.sessionId).toBe(sessionId);
  expect((await zk.exists("/rolling/mine"))?.ephemeralOwner).toBe(sessionId);
}, 90_000);

test("without a quorum an operation waits or fails with an open end, and all goes on when there is one again", async () => {
  await using zk = new ZooKeeper({ clock: systemClock, servers: ensemble.connectString, sessionTimeoutMs: 20_000 });
  await allServe();
  await zk.create("/quorum", "0");
  const { sessionId } = zk;
  const [first, second] = ensemble.servers;
  first?.freeze();
  second?.freeze();
  const written = writeUntilKnown(zk, "/quorum", "1");
  const timely = await zk.set("/quorum", "2", -1, { timeoutMs: 300 }).catch((error: unknown) => error);
  expect(isZooKeeperError(timely, "OPERATION_TIMEOUT", "CONNECTION_LOSS")).toBe(true);
  first?.thaw();
  second?.thaw();
  await written;
  await writeUntilKnown(zk, "/quorum", "3");
  expect(await readUntilKnown(zk, "/quorum")).toBe("3");
  expect(zk.sessionId).toBe(sessionId);
}, 90_000);
