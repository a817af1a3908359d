import { systemClock } from "../../../src/support/clock.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";
import type { BenchRun } from "../figure.ts";
import { median, takingTurns, rounded } from "../statistics.ts";
import { Peer, type PeerName } from "./peer.ts";
import { present, type Programs } from "./programs.ts";

// Below the 1,000 at which the server starts to hold requests back (globalOutstandingLimit).
const outstanding = 500;
const counts = { get: 20_000, set: 10_000 } as const;
const sessionTimeoutMs = 60_000;
/** Rounds that are not counted: for the just-in-time compilers of the server and of the peers. */
const warmUps = 4;

/** Requests a second of one session that always has the same number of them outstanding. */
export async function measurePipeline(run: BenchRun, servers: string, programs: Programs): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const writer = resources.use(new ZooKeeper({ clock: systemClock, servers, sessionTimeoutMs }));
  const peers: Peer[] = [];
  for (const program of present(programs)) {
    const peer = resources.use(await Peer.start(program));
    await peer.ask(`connect ${servers} 1 ${sessionTimeoutMs}`, "connected");
    await writer.create(`/pipeline-${peer.name}`, new Uint8Array(100));
    peers.push(peer);
  }
  for (const kind of ["get", "set"] as const) {
    const perSecond: Record<PeerName, number[]> = { ours: [], java: [], kazoo: [], bare: [] };
    for (let round = 0; round < warmUps + run.rounds; round += 1) {
      for (const peer of takingTurns(peers, round)) {
        const asked = `pipeline ${kind} ${counts[kind]} ${outstanding} /pipeline-${peer.name}`;
        const { words } = await peer.ask(asked, "done");
        if (round >= warmUps) perSecond[peer.name].push(counts[kind] / (Number(words[1]) / 1_000_000));
      }
    }
    for (const peer of peers) {
      if (peer.name === "ours") continue;
      run.figure({
        name: `pipelined-${kind}-time-vs-${peer.name}`,
        value: median(perSecond[peer.name]) / median(perSecond.ours),
        unit: "ratio",
        // No goal was stated.
        limit: null,
        goal: "at most",
        detail: {
          outstanding,
          requests: counts[kind],
          ours: summary(perSecond.ours),
          [peer.name]: summary(perSecond[peer.name]),
        },
      });
    }
  }
}

function summary(perSecond: readonly number[]): object {
  return { medianPerSecond: Math.round(median(perSecond)), perSecond: perSecond.map((each) => rounded(each)) };
}
