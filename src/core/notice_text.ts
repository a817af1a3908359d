import type { DeployRecord, Notice } from "../schema/deploy_record.ts";
import { BY_ITSELF } from "./deploy_state.ts";

/** What separates lines, what a terminal acts on, and what turns the direction of writing. */
const NOT_IN_A_LINE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** What became of a deploy, in a sentence on one line. */
export function noticeText(service: string, record: DeployRecord, notice: Notice): string {
  return `${service}: ${said(record, notice)}`.replaceAll(NOT_IN_A_LINE, " ");
}

function said({ build, previous, restarts }: DeployRecord, { kind, state, who, why, stage = "" }: Notice): string {
  const deploy = restarts === true ? `the restart of ${build}` : `the deploy of ${build}`;
  const after = previous === null || previous === build ? "" : ` after ${previous}`;
  const reason = why === "" ? "" : `: ${why}`;
  const byItself = who === BY_ITSELF;
  switch (kind) {
    case "started":
      return `${who} started ${deploy}${after}${reason}`;
    case "stage":
      return `${deploy} has reached its stage ${stage}${state === "awaiting promotion" ? " and waits" : ""}`;
    case "promoted":
      return byItself
        ? `${deploy} goes on to its stage ${stage}`
        : `${who} lets ${deploy} go on to its stage ${stage}${reason}`;
    case "paused":
      return `${who} paused ${deploy}${reason}`;
    case "resumed":
      return `${who} lets ${deploy} go on${reason}`;
    case "retried":
      return `${who} has ${deploy} tried again where it failed${reason}`;
    case "halted":
      return `${deploy} is halted${reason}`;
    case "done":
      return `${deploy} is done`;
    case "rolling-back":
      return byItself
        ? `${deploy} is taken back to ${previous}${reason}`
        : `${who} has ${deploy} taken back to ${previous}${reason}`;
    case "rolled-back":
      return `${deploy} is rolled back to ${previous}`;
    case "aborted":
      return `${deploy} is aborted${reason}`;
  }
}

/**
 * The same for Slack: what people have typed is text there, and mentions nobody. A broken @ mentions nobody either where a
 * workspace makes links of names.
 */
export function slackText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("@", "@\u200b");
}
