import { buildCommand } from "@stricli/core";
import { endedAt, reasonOf } from "../../core/deploy_state.ts";
import { listDeploys } from "../../store/deploys.ts";
import { readService } from "../../store/services.ts";
import { byServersClock } from "../../view/overview.ts";
import { dateTime, duration, secondsBetween } from "../../view/times.ts";
import { oneLine } from "../../view/words.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { deployFields } from "../deploy_document.ts";
import { stateText } from "../deploy_text.ts";
import { exit } from "../../cli/exit.ts";
import { wholeNumber } from "../../cli/flags.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { table } from "../../cli/table.ts";

interface HistoryFlags extends CommonFlags {
  readonly limit: number | undefined;
}

export const history = buildCommand({
  docs: {
    brief: "List the deploys of a service",
    fullDescription: ctlDescription(
      "Lists the deploys of a service, newest first: what, by whom, when, and how it ended.",
      "deployd ctl history web --limit 5",
    ),
  },
  parameters: {
    flags: {
      limit: {
        kind: "parsed",
        parse: wholeNumber(1),
        brief: "How many (default: 20)",
        placeholder: "n",
        optional: true,
      },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: ctlVerb<HistoryFlags, [string]>(async ({ connect, output, process }, { limit }, service) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    const problems: string[] = [];
    const deploys = (await listDeploys(zk, service, (problem) => problems.push(problem)))
      .map((deploy) => ({ id: deploy.id, record: byServersClock(deploy.record, deploy) }))
      .toReversed()
      .slice(0, limit ?? 20);
    const now = process.now();
    const { paint } = output;
    const rows = deploys.map(({ id, record }) => {
      const { glyph, word } = stateText(record, paint);
      const tookMs = secondsBetween(record.times.created, endedAt(record) ?? now) * 1000;
      const said = [record.why, reasonOf(record)].filter((text) => text !== "").map(oneLine);
      return [
        oneLine(id),
        paint.bold(record.build),
        `${glyph} ${word}`,
        oneLine(record.who),
        dateTime(record.times.created),
        duration(tookMs),
        said.join("; "),
      ];
    });
    output.answer(
      {
        schema: "deployd.ctl.history/1",
        service,
        deploys: deploys.map(({ id, record }) => deployFields(id, record, now)),
        ...(problems.length === 0 ? {} : { problems }),
      },
      [
        ...(rows.length === 0 && problems.length === 0
          ? [`Nothing was ever deployed to "${service}".`]
          : table([["DEPLOY", "BUILD", "STATE", "BY", "STARTED", "TOOK", "WHY"].map(paint.dim), ...rows])),
        ...problems.map((problem) => `! ${oneLine(problem)}`),
      ],
    );
    return exit.asked;
  }),
});
