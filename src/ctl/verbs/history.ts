import { buildCommand } from "@stricli/core";
import { outBy } from "../../core/gate.ts";
import { listDeploys, readDeploy } from "../../store/deploys.ts";
import { readGate } from "../../store/gate.ts";
import { readService } from "../../store/services.ts";
import { pastDeploy } from "../../view/history.ts";
import { byServersClock } from "../../view/overview.ts";
import { oneLine } from "../../view/words.ts";
import { deployArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { historyFields, historyLines } from "../history_text.ts";
import { readToldTimeline } from "../told_timeline.ts";
import { showTimeline } from "../timeline_text.ts";
import { exit } from "../../cli/exit.ts";
import { isGiven, wholeNumber } from "../../cli/flags.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

/** Columns of the text where it goes to no terminal. */
const WIDEST = 100;

interface HistoryFlags extends CommonFlags {
  readonly limit: number | undefined;
  readonly timeline: boolean | undefined;
}

export const history = buildCommand({
  docs: {
    brief: "List the deploys of a service",
    fullDescription: ctlDescription(
      `Lists the deploys of a service, newest first: what, by whom, when, why and how it ended, how
long it took, how many hosts failed and what the first one said, how many connections it closed
or refused, and what people have done to it. The last 50 are kept, with what failed under them.
With a deploy's id only that one.

With --timeline it draws how the hosts of one deploy, the newest unless one is named, went from state
to state, when its own state changed, which hosts were slowest and which failed.`,
      "deployd ctl history web --limit 5",
      "deployd ctl history web 20260701-115000-ab12 --timeline",
      "deployd ctl history web --json",
    ),
    customUsage: ["<service> [<deploy>]"],
  },
  parameters: {
    flags: {
      timeline: isGiven("Draw how one deploy went, hosts over time"),
      limit: {
        kind: "parsed",
        parse: wholeNumber(1),
        brief: "How many (default: 20)",
        placeholder: "n",
        optional: true,
      },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument, { ...deployArgument, optional: true }] },
  },
  func: ctlVerb<HistoryFlags, [string, string | undefined]>(async (ctl, { limit, timeline }, service, deploy) => {
    const { connect, output, process } = ctl;
    await using zk = await connect();
    await readService(zk, service, () => {});
    if (timeline === true) {
      showTimeline(ctl, await readToldTimeline(zk, service, deploy));
      return exit.asked;
    }
    if (deploy !== undefined) await readDeploy(zk, service, deploy);
    const problems: string[] = [];
    const now = process.now();
    const [listed, gate] = await Promise.all([
      listDeploys(zk, service, (problem) => problems.push(problem)),
      readGate(zk, service),
    ]);
    const deploys = listed
      .filter(({ id }) => deploy === undefined || id === deploy)
      .toReversed()
      .slice(0, limit ?? 20)
      .map(({ id, record, ...times }) =>
        pastDeploy(
          { id, record: byServersClock(record, times) },
          gate === null ? null : outBy(gate.gate, id),
          serversNow(listed, now),
        ),
      );
    const { paint } = output;
    output.answer(
      {
        schema: "deployd.ctl.history/1",
        service,
        deploys: deploys.map((deploy) => historyFields(deploy, now)),
        ...(problems.length === 0 ? {} : { problems }),
      },
      [
        ...(deploys.length === 0 && problems.length === 0
          ? [`Nothing was ever deployed to "${service}".`]
          : historyLines(deploys, paint, process.stdoutIsTerminal ? process.columns() : WIDEST)),
        ...problems.map((problem) => `! ${oneLine(problem)}`),
      ],
    );
    return exit.asked;
  }),
});

/** The reader's clock, or the newest time on record where that is later. */
function serversNow(deploys: readonly { readonly writtenAtMs: number }[], now: Date): Date {
  return new Date(Math.max(now.getTime(), ...deploys.map(({ writtenAtMs }) => writtenAtMs)));
}
