import type { AgentConfig } from "../schema/agent_config.ts";
import type { TreeFormat } from "../store/format.ts";
import { readServerTime } from "../store/server_time.ts";
import { pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { Troubles } from "../store/troubles.ts";
import type { Session } from "../zookeeper/session.ts";
import { Candidacy, ownSeat } from "./candidacy.ts";
import { CONDUCT, Conductor } from "./conductor.ts";
import type { FleetReport } from "./fleet_report.ts";
import { Notifying, type NotifyingOptions } from "./notifying.ts";

const AGAIN_MS = 1_000;

interface Conducting {
  readonly config: Pick<AgentConfig, "zookeeper"> & { readonly host: string };
  readonly log: (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;
  readonly clock: Clock;
  /** Aborted when no new term may begin and the current one has to end. */
  readonly stop: AbortSignal;
  readonly session: Session;
  readonly format: TreeFormat;
  readonly troubles: Troubles;
  readonly report: FleetReport;
  readonly target: NotifyingOptions["target"];
  readonly post: NotifyingOptions["post"];
  readonly onNoticed: NotifyingOptions["onNoticed"];
}

/** Makes this agent a candidate for conductor, and conducts while it is elected, until the agent ends. */
export async function conductWhenElected(options: Conducting): Promise<void> {
  const { session, format, config, log, clock, stop, troubles, report } = options;
  const sessionTimeoutMs = config.zookeeper.session_timeout_s * 1000;
  await using notifying = new Notifying(options);
  const conduct = async (signal: AbortSignal): Promise<void> => {
    notifying.begin(signal);
    while (!signal.aborted) {
      try {
        const seat = await ownSeat(session.client);
        report.begin(seat === null ? null : await readServerTime(session.client, seat));
        if (signal.aborted) report.end();
        return await new Conductor({ ...options, sessionTimeoutMs, notifying }).run(signal);
      } catch (error) {
        if (!signal.aborted) troubles.note(CONDUCT, error);
        await pause(clock, AGAIN_MS, signal);
      }
    }
  };
  let term: AbortController | null = null;
  let conducting: Promise<void> = Promise.resolve();
  await new Candidacy(session, config.host, format, clock).run(
    (elected) => {
      log("info", elected ? "this agent conducts now" : "this agent conducts no more", {});
      report.end();
      term?.abort();
      term = elected ? new AbortController() : null;
      if (term === null) return;
      const signal = AbortSignal.any([term.signal, stop]);
      conducting = conducting
        .then(() => conduct(signal))
        .finally(() => {
          report.end();
          troubles.note(CONDUCT, null);
        });
    },
    (error) => troubles.note("stand for conductor", error),
    stop,
  );
  await conducting;
}
