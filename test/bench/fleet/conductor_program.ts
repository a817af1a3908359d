// The production conductor, alone in its process: see program.ts for how it is spoken to.
import { Conductor } from "../../../src/conductor/conductor.ts";
import { FleetReport } from "../../../src/conductor/fleet_report.ts";
import { Troubles } from "../../../src/store/troubles.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { tcpDial } from "../../../src/zookeeper/dial.ts";
import { Session } from "../../../src/zookeeper/session.ts";
import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";
import { countedDial, type SentRequest } from "./counted_dial.ts";
import { answerQuestions, wallMs } from "./program.ts";

/** What the conductor has asked of ZooKeeper since it was last marked. */
export interface ConductorCounts {
  rounds: number;
  /** Requests with changes. */
  multis: number;
  /** Slots that were to be made and to be taken away, whether or not that was refused. */
  grants: number;
  takings: number;
  /** Failures that were to be counted. */
  failures: number;
  /** Nodes that were read. */
  reads: number;
  /** When it first granted, and when it last took a slot away; 0 where it did not. */
  firstGrantAtMs: number;
  lastTakingAtMs: number;
  troubles: string[];
}

const none = (): ConductorCounts => ({
  rounds: 0,
  multis: 0,
  grants: 0,
  takings: 0,
  failures: 0,
  reads: 0,
  firstGrantAtMs: 0,
  lastTakingAtMs: 0,
  troubles: [],
});

let counts = none();
const sessionTimeoutMs = 60_000;

function count({ opcode, parts }: SentRequest): void {
  if (opcode === OpCode.getData || opcode === OpCode.getChildren2 || opcode === OpCode.exists) counts.reads += 1;
  if (opcode === OpCode.multiRead) counts.reads += parts.length;
  if (opcode !== OpCode.multi) return;
  counts.multis += 1;
  for (const part of parts) {
    if (part.path.includes("/failed/")) counts.failures += 1;
    if (!part.path.includes("/slots/")) continue;
    if (part.opcode === OpCode.delete) {
      counts.takings += 1;
      counts.lastTakingAtMs = wallMs();
    } else if (part.opcode === OpCode.create || part.opcode === OpCode.create2) {
      counts.grants += 1;
      if (counts.firstGrantAtMs === 0) counts.firstGrantAtMs = wallMs();
    }
  }
}

function run(servers: string): void {
  const session = new Session({
    clock: systemClock,
    servers,
    sessionTimeoutMs,
    dial: countedDial(tcpDial(systemClock), count),
  });
  const report = new FleetReport(systemClock);
  report.begin(null);
  const log = (level: string, message: string, facts: Record<string, unknown>): void => {
    if (level !== "info") counts.troubles.push(`${message} ${JSON.stringify(facts)}`.slice(0, 500));
  };
  const conductor = new Conductor({
    session,
    clock: systemClock,
    sessionTimeoutMs,
    log,
    troubles: new Troubles(log),
    report: {
      saw: (mirror, agents) => {
        counts.rounds += 1;
        report.saw(mirror, agents);
      },
      keep: (services) => report.keep(services),
      still: (mirror) => report.still(mirror),
      get serverNowMs() {
        return report.serverNowMs;
      },
    },
    notifying: { saw: () => {}, keep: () => {} },
  });
  void conductor.run(new AbortController().signal);
}

await answerQuestions(async ({ ask, servers }) => {
  switch (ask) {
    case "run":
      run(String(servers));
      return {};
    case "mark":
      counts = none();
      return {};
    case "tell":
      return counts;
    default:
      throw new Error(`nobody answers "${String(ask)}"`);
  }
});
