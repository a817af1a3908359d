import { runAgent } from "../../../src/agent/agent.ts";
import { agentConfig } from "../../../src/agent/config.ts";
import { emptyJournal, type Journal } from "../../../src/schema/journal.ts";
import { readJournal } from "../../../src/schema/journal_versions.ts";
import { layoutOf } from "../../../src/steps/layout.ts";
import type { HostService } from "./ground.ts";
import { agentFile } from "./host_file.ts";
import type { SimHost } from "./sim_host.ts";
import type { Stage } from "./stage.ts";

export interface LoneAgent {
  /** What it said so far, but for its dealings with ZooKeeper, which is nowhere. */
  readonly said: readonly {
    readonly level: string;
    readonly message: string;
    readonly facts: Record<string, unknown>;
  }[];
  /** Null while it runs. */
  readonly ended: () => unknown;
}

/** The whole agent, without ZooKeeper: it brings to an end what a former self has begun. */
export function runAlone(host: SimHost, services: readonly HostService[] = host.services): LoneAgent {
  const { machine } = host.newLife();
  const config = agentConfig(agentFile(host.name, "nowhere:2181", services), "agent.toml", {}, host.name);
  const said: LoneAgent["said"][number][] = [];
  const { signal } = new AbortController();
  let ended: unknown = null;
  const over = (how: unknown): void => {
    ended = how;
  };
  const log = (level: string, message: string, facts: Record<string, unknown>): void => {
    if (!message.startsWith("zookeeper")) said.push({ level, message, facts });
  };
  runAgent({ config, version: "1", machine, log, stop: { soon: signal, now: signal } }).then(
    () => over("it stopped"),
    (error: unknown) => over(error),
  );
  return { said, ended: () => ended };
}

export function journalOf({ host, service }: Stage): Journal {
  const text = host.disk.read(layoutOf(service.root).state, true)?.bytes;
  const reading = text === undefined ? null : readJournal(Buffer.from(text).toString());
  return reading?.kind === "understood" ? reading.journal : emptyJournal;
}

/** The phase of the activation that is under way, and "finished" once it has brought its build into service. */
export function phaseIn(stage: Stage): string | undefined {
  const { activation, served } = journalOf(stage);
  return activation?.phase.kind ?? (served === undefined ? undefined : "finished");
}
