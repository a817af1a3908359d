import { HostStates } from "../core/host_state.ts";
import { hostStateSchema, type HostState } from "../schema/host_state.ts";
import type { HostStatus, Role } from "../schema/znodes.ts";
import type { DeployView } from "./deploy.ts";
import type { Overview } from "./overview.ts";
import type { Sign } from "./tone.ts";

/** The worst first: where several hosts share one cell, it shows the first of these that any of them is in. */
export const WORST_FIRST: readonly HostState[] = hostStateSchema.options;

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
  leaving: { glyph: "»", word: "leaving", tone: "dim" },
  waiting: { glyph: "·", word: "waiting", tone: "dim" },
  done: { glyph: "✓", word: "done", tone: "good" },
  idle: { glyph: "-", word: "idle", tone: "dim" },
};

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
  const states = new HostStates(view?.record ?? null, view?.live?.progress ?? null);
  return order.map((host) => {
    const record = overview.hosts.get(host) ?? { role: "fleet" as const };
    const { role, zone = "" } = record;
    const status = overview.statuses.get(host) ?? null;
    const connected = overview.agents.has(host);
    return { host, role, zone, connected, state: states.of(host, record, status, connected), status };
  });
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
