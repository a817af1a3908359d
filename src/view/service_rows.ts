import { endedAt, isRunning } from "../core/deploy_state.ts";
import { newestDeploy, stuckForMs, type DeployView } from "./deploy.ts";
import { stateSign } from "./deploy_words.ts";
import { illRows, illnessText, isIllSince, type HostRow } from "./host.ts";
import type { Overview } from "./overview.ts";
import { serverNow } from "./server_clock.ts";
import { ageMs } from "./times.ts";
import type { Sign } from "./tone.ts";
import { count, oneLine } from "./words.ts";

/** What is known of one service of many; a service whose records cannot be read is shown, not hidden. */
export type ServiceLook =
  { readonly service: string; readonly overview: Overview } | { readonly service: string; readonly problem: string };

/** One service among many. */
export type ServiceRow = { readonly service: string; readonly sign: Sign } & (
  | { readonly kind: "trouble"; readonly problem: string }
  | { readonly kind: "nothing deployed"; readonly hosts: number }
  | {
      readonly kind: "deploy";
      readonly view: DeployView;
      /** Since its state changed, in milliseconds. */
      readonly ageMs: number;
      /** "web-02 unhealthy for 40s: its check failed: connection refused, and 3 more"; empty if no host is ill. */
      readonly illness: string;
      /** How long nothing has moved in it, in milliseconds; null if that needs nobody's attention. */
      readonly stuckMs: number | null;
      /** What keeps its hosts from going although they are ready; empty where nothing does. */
      readonly waits: string;
    }
);

/** The services; those that need a person come first. @param now by the clock of the reader */
export function serviceRows(looks: readonly ServiceLook[], now: Date): ServiceRow[] {
  return looks
    .map((look) => rowOf(look, "problem" in look ? now : serverNow(look.overview, now)))
    .toSorted((a, b) => urgencyOf(a) - urgencyOf(b) || (a.service < b.service ? -1 : 1));
}

function rowOf(look: ServiceLook, now: Date): ServiceRow {
  const { service } = look;
  const inTrouble = (word: string, problem: string): ServiceRow => ({
    kind: "trouble",
    service,
    sign: { glyph: "✗", word, tone: "bad" },
    problem,
  });
  if ("problem" in look) return inTrouble("unreadable", look.problem);
  const { wishTrouble, hosts } = look.overview;
  if (wishTrouble !== undefined) return inTrouble(wishTrouble.word, wishTrouble.problem);
  const view = newestDeploy(look.overview);
  if (view === null) {
    const sign = { glyph: "·", word: "nothing deployed", tone: "plain" } as const;
    return { kind: "nothing deployed", service, sign, hosts: hosts.size };
  }
  const ill = illRows(look.overview);
  return {
    kind: "deploy",
    service,
    sign: isIllSince(view.record, ill) ? { glyph: "✗", word: "unhealthy", tone: "bad" } : stateSign(view.record),
    view,
    ageMs: ageMs(endedAt(view.record) ?? view.record.times.changed, now),
    illness: illText(ill, now),
    stuckMs: stuckForMs(view, now),
    waits: look.overview.waits.join("; "),
  };
}

function urgencyOf(row: ServiceRow): number {
  if (row.kind === "trouble") return 0;
  if (row.kind === "nothing deployed") return 8;
  const { record, live } = row.view;
  if (record.state === "halted") return 1;
  if (row.illness !== "") return 2;
  if (row.stuckMs !== null) return 3;
  if (record.state === "awaiting promotion" || record.state === "paused") return 4;
  if (isRunning(record)) return 5;
  return (live?.progress.unreachable.length ?? 0) > 0 ? 6 : 7;
}

function illText([first, ...others]: readonly HostRow[], now: Date): string {
  if (first === undefined) return "";
  const more = others.length === 0 ? "" : `, and ${count(others.length, "more host")}`;
  return `${oneLine(first.host)} ${illnessText(first.status, now)}${more}`;
}
