import type { Round } from "../core/rollout.ts";
import type { RoundOutcome } from "../store/carry_out.ts";

/** How many hosts a line of the log names. */
const MOST_NAMED = 20;

/** What came of a round, for the log. */
export function roundTold(
  service: string,
  { moves }: Round,
  { moved, written }: RoundOutcome,
): Record<string, unknown> {
  const done = new Set(moved);
  const hosts: Record<string, string[]> = {};
  for (const { kind, host } of moves) if (done.has(host)) (hosts[kind] ??= []).push(host);
  const named = Object.entries(hosts).map(([kind, names]) => [
    kind,
    names.length > MOST_NAMED ? [...names.slice(0, MOST_NAMED), `and ${names.length - MOST_NAMED} more`] : names,
  ]);
  const deploys = [...written].map(([id, { state }]) => `${id} ${state}`);
  return { service, ...Object.fromEntries(named), ...(deploys.length === 0 ? {} : { deploys }) };
}
