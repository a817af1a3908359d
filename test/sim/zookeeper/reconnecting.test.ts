import { expect, test } from "bun:test";
import type { ServerAddress } from "../../../src/zookeeper/dial.ts";
import type { Session } from "../../../src/zookeeper/session.ts";
import { Stage } from "./stage.ts";

/*
 * Many clients of one ensemble, when what they are connected to goes away in one instant. The ensemble's sessions last
 * as long as the clients ask for, so a session that a client's own waiting outlasted would be expired by it.
 */

const TIMEOUT_MS = 6_000;
const FIRST_WINDOW_MS = TIMEOUT_MS / 30;
const COUNT = 200;

interface Client {
  readonly session: Session;
  readonly sessionId: bigint;
  readonly server: string;
}

interface Try {
  readonly client: number;
  readonly atMs: number;
  readonly place: string;
}

interface Fleet {
  readonly stage: Stage;
  readonly clients: readonly Client[];
  /** Every try since all were connected, in order. */
  readonly tries: Try[];
}

function connectedFleet(seed: string): Fleet {
  const stage = new Stage(seed, 3, [TIMEOUT_MS, TIMEOUT_MS]);
  // Until every server takes clients.
  stage.play(() => stage.sleep(5_000));
  const tries: Try[] = [];
  const sessions = Array.from({ length: COUNT }, (_, index) => {
    const dial = stage.ensemble.dialFrom(`host-${index}`);
    return stage.session(`host-${index}`, {
      sessionTimeoutMs: TIMEOUT_MS,
      dial: (address: ServerAddress, options, events) => {
        tries.push({ client: index, atMs: stage.time.nowMs, place: address.ip });
        return dial(address, options, events);
      },
    });
  });
  stage.play(async () => {
    await Promise.all(sessions.map((session) => session.client.connected()));
    await Promise.all(sessions.map((session, index) => session.ephemeral(`/host-${index}`, "")));
    // Only a connection that has lasted a while counts as a good one.
    await stage.sleep(1_000);
  });
  tries.length = 0;
  const clients = sessions.map((session) => {
    const { state } = session;
    if (state.kind !== "connected") throw new Error(state.kind);
    return { session, sessionId: session.client.sessionId, server: state.server };
  });
  return { stage, clients, tries };
}

function connected({ session }: Client): boolean {
  return session.state.kind === "connected";
}

function expectNothingLost({ clients, stage }: Fleet): void {
  expect(clients.filter(({ session, sessionId }) => session.client.sessionId !== sessionId)).toEqual([]);
  expect(stage.ensemble.children("/").filter((name) => name.startsWith("host-"))).toHaveLength(COUNT);
}

/** The most of these that lie within any stretch of `widthMs`. */
function densest(timesMs: readonly number[], widthMs: number): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + widthMs).length));
}

test("those who lose a server that follows come back one after the other, at once and to the others, with their sessions", () => {
  for (let seed = 0; seed < 4; seed += 1) {
    const fleet = connectedFleet(`a follower dies ${seed}`);
    const { stage, clients, tries } = fleet;
    const victim = stage.ensemble.servers.findIndex((server) => server !== stage.ensemble.leader);
    const ip = stage.network.ipOf(`zk-${victim + 1}`);
    const orphans = clients.filter(({ server }) => server.startsWith(`${ip}:`));
    expect(orphans.length).toBeGreaterThan(COUNT / 5);
    const diedAtMs = stage.time.nowMs;
    stage.ensemble.crash(victim);
    const firstTries = (): (Try | undefined)[] =>
      orphans.map((each) => tries.find(({ client }) => clients[client] === each));
    const allBack = (): boolean => firstTries().every((each) => each !== undefined) && clients.every(connected);
    stage.play(() => stage.until(allBack), TIMEOUT_MS);
    const first = firstTries();
    const waitedMs = first.map((each) => (each?.atMs ?? Number.NaN) - diedAtMs);
    // They hear of it within a millisecond.
    expect(Math.max(...waitedMs)).toBeLessThan(FIRST_WINDOW_MS + 5);
    // Without a wait all of them are within two milliseconds; evenly spread, a tenth of the window has a tenth of them.
    expect(densest(waitedMs, FIRST_WINDOW_MS / 10)).toBeLessThan(orphans.length / 3);
    expect(first.filter((each) => each?.place === ip)).toEqual([]);
    const shares = Object.values(Object.groupBy(first, (each) => each?.place ?? "nowhere"));
    expect(shares.filter((share) => (share?.length ?? 0) > orphans.length / 4)).toHaveLength(2);
    expectNothingLost(fleet);
  }
});

test("while no server takes anybody they try ever more seldom, and all are back soon after that, with their sessions", () => {
  for (let seed = 0; seed < 4; seed += 1) {
    const fleet = connectedFleet(`no quorum ${seed}`);
    const { stage, clients, tries } = fleet;
    const leader = stage.ensemble.servers.findIndex((server) => server === stage.ensemble.leader);
    const other = (leader + 1) % 3;
    const diedAtMs = stage.time.nowMs;
    stage.ensemble.crash(leader);
    stage.ensemble.crash(other);
    // As long as the servers' patience allows: they count from the last ping, up to a third of the timeout earlier.
    stage.play(() => stage.sleep(TIMEOUT_MS * 0.4));
    const middleMs = (diedAtMs + stage.time.nowMs) / 2;
    const early = tries.filter(({ atMs }) => atMs < middleMs).length;
    expect(tries.length - early).toBeLessThan(early * 0.7);
    stage.ensemble.restart(leader);
    stage.ensemble.restart(other);
    stage.play(() => stage.until(() => stage.ensemble.leader !== null), TIMEOUT_MS);
    const ledAtMs = stage.time.nowMs;
    stage.play(() => stage.until(() => clients.every(connected)), TIMEOUT_MS);
    // Of the longest wait, and a little for the tries themselves.
    expect(stage.time.nowMs - ledAtMs).toBeLessThan(TIMEOUT_MS / 6 + 500);
    expect(stage.time.nowMs - diedAtMs).toBeLessThan(2 * TIMEOUT_MS);
    expectNothingLost(fleet);
  }
});

test("nobody gives up servers that are back just in time, however long his last wait is", () => {
  for (let seed = 0; seed < 4; seed += 1) {
    const fleet = connectedFleet(`just in time ${seed}`);
    const { stage, clients } = fleet;
    const lostAtMs = stage.time.nowMs;
    for (let index = 0; index < 3; index += 1) stage.ensemble.crash(index);
    // Servers that start give every session its whole time anew.
    const electedWithinMs = 550;
    stage.play(() => stage.sleep(TIMEOUT_MS - electedWithinMs));
    for (let index = 0; index < 3; index += 1) stage.ensemble.restart(index);
    stage.play(() => stage.until(() => stage.ensemble.leader !== null), TIMEOUT_MS);
    expect(stage.time.nowMs - lostAtMs).toBeLessThan(TIMEOUT_MS);
    stage.play(() => stage.until(() => clients.every(connected)), TIMEOUT_MS);
    expectNothingLost(fleet);
  }
});

test("those whose sessions all end in the same instant do not begin the next ones in the same instant", () => {
  const fleet = connectedFleet("out of reach");
  const { stage, clients, tries } = fleet;
  const overAtMs: number[] = [];
  for (const { session } of clients) session.onEpoch(() => void overAtMs.push(stage.time.nowMs));
  for (let index = 0; index < 3; index += 1) stage.ensemble.crash(index);
  stage.play(() => stage.until(() => overAtMs.length === COUNT), 2 * TIMEOUT_MS);
  expect(Math.max(...overAtMs) - Math.min(...overAtMs)).toBeLessThan(5);
  stage.play(() => stage.sleep(FIRST_WINDOW_MS));
  const begun = clients.map(
    (_, index) => tries.find(({ client, atMs }) => client === index && atMs >= Math.max(...overAtMs))?.atMs ?? 0,
  );
  expect(densest(begun, FIRST_WINDOW_MS / 10)).toBeLessThan(COUNT / 3);
  for (let index = 0; index < 3; index += 1) stage.ensemble.restart(index);
  stage.play(() => stage.until(() => clients.every(connected)), 2 * TIMEOUT_MS);
});
