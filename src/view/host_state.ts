import { buildWanted } from "../core/deploy_state.ts";
import type { HostStatus, Role } from "../schema/znodes.ts";
import type { DeployView } from "./deploy.ts";
import { phaseOf } from "./host.ts";
import type { Overview } from "./overview.ts";
import type { Sign } from "./tone.ts";

/** What a host is to the deploy that is watched. */
export type HostState =
  | "failed"
  | "unreachable"
  | "going back"
  | "restarting"
  | "soaking"
  | "ready"
  | "preparing"
  | "held"
  | "waiting"
  | "done"
  | "idle";

/** The worst first: where several hosts share one cell, it shows the first of these that any of them is in. */
export const WORST_FIRST: readonly HostState[] = [
  "failed",
  "unreachable",
  "going back",
  "restarting",
  "soaking",
  "ready",
  "preparing",
  "held",
  "waiting",
  "idle",
  "done",
];

/** Each state has a glyph of its own, so that nobody needs colours to tell them apart. */
export const STATE_SIGNS: Readonly<Record<HostState, Sign>> = {
  failed: { glyph: "✗", word: "failed", tone: "bad" },
  unreachable: { glyph: "?", word: "unreachable", tone: "warn" },
  "going back": { glyph: "↺", word: "going back", tone: "warn" },
  restarting: { glyph: "↻", word: "restarting", tone: "busy" },
  soaking: { glyph: "◔", word: "soaking", tone: "busy" },
  ready: { glyph: "…", word: "ready", tone: "busy" },
  preparing: { glyph: "↓", word: "preparing", tone: "busy" },
  held: { glyph: "‖", word: "held", tone: "warn" },
  waiting: { glyph: "·", word: "waiting", tone: "dim" },
  done: { glyph: "✓", word: "done", tone: "good" },
  idle: { glyph: "-", word: "idle", tone: "dim" },
};

/** From left to right, as a deploy takes hosts from one state to the next; and what fills their part of a bar in text. */
export const ALONG: readonly { readonly state: HostState; readonly fill: string }[] = [
  { state: "done", fill: "█" },
  { state: "soaking", fill: "▓" },
  { state: "restarting", fill: "▒" },
  { state: "going back", fill: "↺" },
  { state: "ready", fill: "░" },
  { state: "preparing", fill: "-" },
  { state: "held", fill: "‖" },
  { state: "waiting", fill: "·" },
  { state: "idle", fill: "·" },
  { state: "unreachable", fill: "?" },
  { state: "failed", fill: "✗" },
];

export interface FleetHost {
  readonly host: string;
  readonly role: Role;
  readonly zone: string;
  readonly connected: boolean;
  readonly state: HostState;
  readonly status: HostStatus | null;
}

/**
 * Every host of a service with what it is to its newest deploy.
 *
 * @param order of the same hosts
 */
export function fleetHosts(overview: Overview, view: DeployView | null, { order }: HostOrder): FleetHost[] {
  const failed = new Set(view?.live?.progress.failed ?? []);
  const done = new Set(view?.live?.progress.serving ?? []);
  const of = new Set(view?.live?.progress.hosts ?? []);
  return order.map((host) => {
    const { role, zone = "", hold } = overview.hosts.get(host) ?? { role: "fleet" as const };
    const status = overview.statuses.get(host) ?? null;
    const connected = overview.agents.has(host);
    const facts = { status, connected, isFailed: failed.has(host), isDone: done.has(host), isOf: of.has(host) };
    const state = hold !== undefined && connected ? "held" : stateOf(facts, view);
    return { host, role, zone, connected, state, status };
  });
}

interface HostFacts {
  readonly status: HostStatus | null;
  readonly connected: boolean;
  readonly isFailed: boolean;
  readonly isDone: boolean;
  /** The deploy is to come to it, or has. */
  readonly isOf: boolean;
}

function stateOf({ status, connected, isFailed, isDone, isOf }: HostFacts, view: DeployView | null): HostState {
  if (isFailed) return status?.begun === true && status.rollingBack ? "going back" : "failed";
  const phase = phaseOf(status, connected);
  switch (phase) {
    case "failed":
    case "unreachable":
    case "ready":
    case "preparing":
      return phase;
    case "restarting":
      if (status?.rollingBack === true) return "going back";
      return status?.step === "soak" ? "soaking" : "restarting";
    case "serving":
      if (view === null || isDone) return "done";
      return isOf || status?.build !== buildWanted(view.record) ? "waiting" : "done";
    case "idle":
      return isOf ? "waiting" : "idle";
  }
}

/** The hosts by zone and name, so that nobody changes place. */
export interface HostOrder {
  readonly order: readonly string[];
  /** Of which hosts, as they were read, and where each stands. */
  readonly of: readonly (readonly [host: string, zone: string])[];
}

export const noOrder: HostOrder = { order: [], of: [] };

/** @param before kept where the hosts are the same: to compare names takes longer than all else that a screen needs */
export function orderOf(hosts: Overview["hosts"], before: HostOrder): HostOrder {
  if (isSame(hosts, before)) return before;
  const of = [...hosts].map(([host, { zone = "" }]) => [host, zone] as const);
  const { compare } = new Intl.Collator("en", { numeric: true });
  const sorted = of.toSorted(([a, zoneA], [b, zoneB]) => compare(zoneA, zoneB) || compare(a, b));
  return { order: sorted.map(([host]) => host), of };
}

function isSame(hosts: Overview["hosts"], { of }: HostOrder): boolean {
  if (hosts.size !== of.length) return false;
  let at = 0;
  for (const [host, { zone = "" }] of hosts) {
    const [known, where] = of[at] ?? [];
    if (host !== known || zone !== where) return false;
    at += 1;
  }
  return true;
}

/** How many hosts are in each state. */
export function countStates(hosts: readonly FleetHost[]): ReadonlyMap<HostState, number> {
  const counts = new Map<HostState, number>();
  for (const { state } of hosts) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

export function worstOf(hosts: readonly FleetHost[]): HostState {
  const states = new Set(hosts.map(({ state }) => state));
  return WORST_FIRST.find((state) => states.has(state)) ?? "idle";
}

/** The hosts whose name, zone, role, state or build has all of the words. */
export function hostsWith(hosts: readonly FleetHost[], text: string): readonly FleetHost[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return hosts;
  return hosts.filter(({ host, zone, role, state, status }) => {
    const told = `${host} ${zone} ${role} ${state} ${status?.step ?? ""} ${status?.build ?? ""}`.toLowerCase();
    return words.every((word) => told.includes(word));
  });
}

/** The hosts of each zone, in the order in which they come. */
export function byZone(hosts: readonly FleetHost[]): { zone: string; hosts: FleetHost[] }[] {
  const zones = new Map<string, FleetHost[]>();
  for (const host of hosts) {
    const others = zones.get(host.zone);
    if (others === undefined) zones.set(host.zone, [host]);
    else others.push(host);
  }
  return [...zones].map(([zone, all]) => ({ zone, hosts: all }));
}
