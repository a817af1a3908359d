import type { HeldBack } from "../core/between_services.ts";
import { isRunning } from "../core/deploy_state.ts";
import { outOfService, type Gate, type OutHosts } from "../core/gate.ts";
import { allowedBy, baseNow } from "../core/limit_base.ts";
import type { Progress } from "../core/progress.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../schema/znodes.ts";
import { count, oneLine, someOf } from "./words.ts";

/** What is known of a deploy that may have to wait. */
interface Waits {
  readonly record: DeployRecord;
  readonly out: OutHosts;
  readonly progress: Progress;
  readonly gate: Gate | null;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  readonly heldBack: HeldBack;
}

/** How many hosts a sentence names. */
const MOST_NAMED = 4;

/**
 * Why hosts of a deploy that are ready get no slot, one sentence each: because of another service, since a person holds
 * them, or since held hosts take up what may be out of service. Empty where nothing of that keeps it.
 */
export function whyItWaits(waits: Waits): string[] {
  const { record, progress, gate, hosts, statuses, heldBack } = waits;
  if (!isRunning(record) || record.state === "paused" || gate === null) return [];
  // Thousands of hosts are looked up in it.
  const through = new Set([...progress.serving, ...progress.failed]);
  const left = progress.hosts.filter((host) => !through.has(host) && !gate.slots.has(host));
  const isHeld = (host: string): boolean => gate.holds.has(host) || hosts.get(host)?.hold !== undefined;
  const held = left.filter(isHeld);
  const ready = left.filter((host) => statuses.get(host)?.step === "ready" && !isHeld(host));
  const sentences = [...heldSentences(waits, held)];
  if (ready.length === 0) return sentences;
  if (heldBack.service !== null) return [`it ${heldBack.service}`, ...sentences];
  return [...hostSentences(ready, heldBack), ...capacitySentences(waits, gate), ...sentences];
}

/** Hosts that wait for the same, in one sentence. */
function hostSentences(ready: readonly string[], heldBack: HeldBack): string[] {
  const waiting = new Map<string, string[]>();
  for (const host of ready) {
    const why = heldBack.host(host);
    if (why !== null) waiting.set(why, [...(waiting.get(why) ?? []), oneLine(host)]);
  }
  return [...waiting].map(([why, names]) => {
    const verb = names.length === 1 ? why : why.replace(/^waits /, "wait ");
    return `${someOf(names, MOST_NAMED)} ${verb}`;
  });
}

/** Held hosts are out of service like any other, so that they may leave nothing to a deploy. */
function capacitySentences({ record, hosts, statuses }: Waits, gate: Gate): string[] {
  const held = gate.holds.size;
  if (held === 0) return [];
  const { max } = allowedBy(record, () => baseNow({ hosts, status: statuses }));
  const out = outOfService(gate).size;
  if (out < max) return [];
  const are = held === 1 ? "is" : "are";
  return [
    `${count(held, "host")} ${are} held (${someOf(namesOf(gate.holds), MOST_NAMED)}), and at most ${max} may be out at once`,
  ];
}

function heldSentences({ gate, hosts }: Waits, held: readonly string[]): string[] {
  return held.slice(0, MOST_NAMED).map((host) => {
    const hold = gate?.holds.get(host) ?? hosts.get(host)?.hold;
    const why = hold === undefined || hold.why === "" ? "" : `: ${oneLine(hold.why)}`;
    return `${oneLine(host)} is held by ${oneLine(hold?.who ?? "somebody")}${why}; no deploy comes to it until it is released`;
  });
}

function namesOf(all: ReadonlyMap<string, unknown>): string[] {
  return [...all.keys()].map(oneLine);
}
