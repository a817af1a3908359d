import type { DeployView, HostFailure } from "./deploy.ts";
import { failureText, illnessTexts, warningTexts } from "./deploy_words.ts";
import { span, type SpanLine } from "./spans.ts";
import { lastLines, oneLine } from "./words.ts";

const LOG_LINES = 12;

/** A failure with everything that helps to solve it: where, why, what to do, and the end of the step's output. */
export function failureLines(failure: HostFailure, logLines: number = LOG_LINES): SpanLine[] {
  const { hint, log } = failure;
  return [
    [span(`✗ ${failureText(failure)}`, "bad")],
    ...(hint === "" ? [] : [[span(`    ${oneLine(hint)}`)]]),
    ...(log === "" ? [] : lastLines(log, logLines).map((line) => [span(`    | ${line}`, "dim")])),
  ];
}

/** What is wrong with hosts that serve the build. */
export function illnessLines(view: DeployView): SpanLine[] {
  return illnessTexts(view).map((text) => [span(`✗ ${text}`, "bad")]);
}

export function warningLines(view: DeployView): SpanLine[] {
  return warningTexts(view).map((text) => [span(`! ${text}`, "warn")]);
}
