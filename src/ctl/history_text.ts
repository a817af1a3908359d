import type { DeployRecord } from "../schema/deploy_record.ts";
import { stateSign } from "../view/deploy_words.ts";
import { pastFacts, type PastDeploy } from "../view/history.ts";
import { dateTime, duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import { toned, type Paint } from "../cli/paint.ts";
import { table } from "../cli/table.ts";
import { clip, wrap } from "../cli/text.ts";
import { deployFields } from "./deploy_document.ts";
import { costDocument } from "./watch_text.ts";

const TITLES = ["STARTED", "BUILD", "STATE", "TOOK", "FAILED", "CLOSED", "REFUSED", "BY"];
/** A build's id is cut in its row; the line below has all of it. */
const BUILD_COLUMNS = 12;
/** A terminal that is narrower than this wraps by itself. */
const NARROWEST = 40;

/** The deploys for people: a row for each, and below it what does not fit into a row. */
export function historyLines(deploys: readonly PastDeploy[], paint: Paint, columns: number): string[] {
  const room = Math.max(NARROWEST, columns);
  const [titles = "", ...rows] = table([TITLES.map((title) => paint.dim(title)), ...deploys.map(cells(paint))], {
    columns: room,
  });
  return [
    titles,
    ...deploys.flatMap((deploy, at) => [
      rows[at] ?? "",
      ...pastFacts(deploy).flatMap((fact) => wrap(`  ${fact}`, room, "    ").map((line) => paint.dim(line))),
    ]),
  ];
}

function cells(paint: Paint): (deploy: PastDeploy) => string[] {
  return ({ record, tookMs, failures, cost }) => {
    const { glyph, word } = stateText(record, paint);
    const failed = failures === null ? "0" : paint.bad(String(failures.hosts));
    return [
      dateTime(record.times.created),
      paint.bold(clip(record.build, BUILD_COLUMNS)),
      `${glyph} ${word}`,
      duration(tookMs),
      failed,
      countOrUnknown(cost?.closed),
      countOrUnknown(cost?.refused),
      oneLine(record.who),
    ];
  };
}

/** What is not counted is not zero. */
function countOrUnknown(connections: number | null | undefined): string {
  return connections === null || connections === undefined ? "-" : String(connections);
}

/** One deploy in JSON: `deployd.ctl.history/1`. */
export function historyFields({ id, record, failures, cost }: PastDeploy, now: Date) {
  return {
    ...deployFields(id, record, now),
    failures: failures === null ? { hosts: 0, first: [] } : { hosts: failures.hosts, first: failures.first },
    cost: cost === null ? null : costDocument(cost),
  };
}

/** The glyph and the word of a deploy's state. */
function stateText(record: DeployRecord, paint: Paint): { readonly glyph: string; readonly word: string } {
  const { glyph, word, tone } = stateSign(record);
  return { glyph: toned(paint, tone, glyph), word: toned(paint, tone, word) };
}
