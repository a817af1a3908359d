import type { DeployRecord, Notice, NoticeKind } from "../schema/deploy_record.ts";
import { BY_ITSELF, stageNow } from "./deploy_state.ts";

/** What came of telling a target something: it took it, it did not and is told again, or it is not told again. */
export const noticeResults = ["told", "refused", "given up"] as const;

export type NoticeResult = (typeof noticeResults)[number];

/** How many notices a record keeps. Whoever conducts tells them at once, so these are for a time in which nobody does. */
const KEPT_NOTICES = 40;
/** What a person gives as a reason may be of any length. */
const LONGEST_WORDS = 300;

/** The record as it stands, and that it came to this; unchanged where nobody is to be told. */
export function noticed<R extends DeployRecord>(
  record: R,
  kind: NoticeKind,
  { who = BY_ITSELF, why = "" }: { readonly who?: string; readonly why?: string } = {},
): R {
  const { telling } = record;
  if (telling === undefined || telling.targets.length === 0) return record;
  const notice: Notice = {
    number: (telling.notices.at(-1)?.number ?? 0) + 1,
    kind,
    state: record.state,
    at: record.times.changed,
    who: clipped(who),
    why: clipped(why),
    ...(kind === "stage" || kind === "promoted" ? { stage: stageNow(record) } : {}),
  };
  return { ...record, telling: { ...telling, notices: [...telling.notices, notice].slice(-KEPT_NOTICES) } };
}

/** Of one deploy, the first notice after those that a target was told; null where it knows all. */
export function noticeAfter({ telling }: DeployRecord, upTo: number): Notice | null {
  return telling?.notices.find(({ number }) => number > upTo) ?? null;
}

/**
 * What a notice is known by, the same however often it is sent. The kind is part of it: in a ZooKeeper that was restored
 * from a backup something else may come to have a number that was told before.
 */
export function noticeId(service: string, deploy: string, { number, kind }: Pick<Notice, "number" | "kind">): string {
  return `${service}/${deploy}/${number}-${kind}`;
}

function clipped(text: string): string {
  return text.length <= LONGEST_WORDS ? text : `${text.slice(0, LONGEST_WORDS - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
