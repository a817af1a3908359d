import type { DeployRecord } from "../schema/deploy_record.ts";
import type { DeployView, HostFailure } from "../view/deploy.ts";
import { failureText, illnessTexts, stateSign, warningTexts } from "../view/deploy_words.ts";
import { lastLines, oneLine } from "../view/words.ts";
import { toned, type Paint } from "../cli/paint.ts";

const LOG_LINES = 12;

/** The glyph and the word of a deploy's state. */
export function stateText(record: DeployRecord, paint: Paint): { readonly glyph: string; readonly word: string } {
  const { glyph, word, tone } = stateSign(record);
  return { glyph: toned(paint, tone, glyph), word: toned(paint, tone, word) };
}

/** A failure with everything that helps to solve it: where, why, what to do, and the end of the step's output. */
export function failureLines(failure: HostFailure, paint: Paint, logLines: number = LOG_LINES): string[] {
  const { hint, log } = failure;
  return [
    paint.bad(`✗ ${failureText(failure)}`),
    ...(hint === "" ? [] : [`    ${oneLine(hint)}`]),
    ...(log === "" ? [] : lastLines(log, logLines).map((line) => paint.dim(`    | ${line}`))),
  ];
}

/** What is wrong with hosts that serve the build. */
export function illnessLines(view: DeployView, paint: Paint): string[] {
  return illnessTexts(view).map((text) => paint.bad(`✗ ${text}`));
}

export function warningLines(view: DeployView, paint: Paint): string[] {
  return warningTexts(view).map((text) => paint.warn(`! ${text}`));
}
