import type { BetweenServices } from "../schema/between_services.ts";
import type { DeployState } from "../schema/deploy_record.ts";

/*
 * Rules between services that a conductor obeys before it grants a slot. A service waits for another by `notWhile` or
 * `after`; of services that wait for each other in a circle, the one whose deploy began first goes on, so that no rules that
 * operators can write bring all deploys to a stand.
 */

/** What a conductor knows of a service: its rules, and its running deploy. */
export interface ServiceNow {
  readonly rules: BetweenServices;
  /** The deploy that runs; null where none does. `began` is when it was created, as its record has it. */
  readonly deploy: { readonly state: DeployState; readonly began: string } | null;
}

/** All services of the tree by name. Nobody knows what one that cannot be read does, so the worst is assumed. */
export type ServicesNow = ReadonlyMap<string, ServiceNow | "unreadable">;

/** Why slots of a service are withheld because of others. */
export interface HeldBack {
  /** Why no host may be granted a slot, such as `waits for "db", which is rolling`; null where nothing forbids it. */
  readonly service: string | null;
  /** Why this host may not be granted one, whoever else may; null where nothing forbids it. */
  readonly host: (host: string) => string | null;
}

export const nothingHeldBack: HeldBack = { service: null, host: () => null };

/**
 * What the rules between services forbid the service now. Two conductors, or one that looks at two services, may each find
 * that its own may go on before either has: whoever grants a slot by this answer must check, in the same transaction, the
 * version of what it read of each service that a rule names.
 *
 * @param outIn the services for which a host is out of service now, this one included
 */
export function heldBack(service: string, services: ServicesNow, outIn: (host: string) => readonly string[]): HeldBack {
  const waits = waitsThatHold(service, services);
  const why = waits.map((other) => `"${other}", which ${stateText(services.get(other))}`).join(", and ");
  return {
    service: why === "" ? null : `waits for ${why}`,
    host: (host) => heldOnHost(service, services, outIn(host)),
  };
}

function stateText(other: ServiceNow | "unreadable" | undefined): string {
  if (other === "unreadable") return "cannot be read";
  const state = other?.deploy?.state ?? "at rest";
  return `is ${state === "canary" ? "on canary hosts" : state}`;
}

/**
 * The rule holds whichever of the two services is exclusive. A host that is out for this service already is not more out
 * with a slot; if it had to wait, a host that is out for two services would wait for ever.
 */
function heldOnHost(service: string, services: ServicesNow, outIn: readonly string[]): string | null {
  if (outIn.includes(service)) return null;
  const isExclusive = (name: string): boolean => {
    const found = services.get(name);
    return found === "unreadable" || found?.rules.exclusive === true;
  };
  const other = outIn.find((name) => isExclusive(service) || isExclusive(name));
  return other === undefined ? null : `waits for "${other}", for which the host is out of service`;
}

/** The services that this one waits for, but for those that wait for it in turn and whose deploy began later. */
function waitsThatHold(service: string, services: ServicesNow): string[] {
  const waits = waitsOf(service, services);
  if (waits.length === 0) return [];
  const reached = waitedFor(waits, services);
  // All from which a way leads back here: together with this service they wait in circles.
  const circle = [...reached].filter((name) => waitedFor(waitsOf(name, services), services).has(service));
  const isFirst = circle.every((name) => name === service || beganBefore(service, name, services));
  return isFirst ? waits.filter((name) => !circle.includes(name)) : waits;
}

/**
 * The services for which this one's rules make it wait now, whether or not they wait for it. A deploy that goes back comes
 * after nobody: the sooner it is back, the better.
 */
function waitsOf(service: string, services: ServicesNow): string[] {
  const self = services.get(service);
  if (self === undefined || self === "unreadable") return [];
  const { notWhile = [] } = self.rules;
  const after = self.deploy?.state === "rolling back" ? [] : (self.rules.after ?? []);
  return [...new Set([...after, ...notWhile])].filter((name) => {
    const other = services.get(name);
    if (name === service || other === undefined) return false;
    if (other === "unreadable") return true;
    return other.deploy !== null && (after.includes(name) || other.deploy.state !== "preparing");
  });
}

/** These services, those for which they wait, and so on. */
function waitedFor(names: readonly string[], services: ServicesNow): Set<string> {
  const found = new Set(names);
  // A set goes through what is added to it meanwhile.
  for (const name of found) for (const next of waitsOf(name, services)) found.add(next);
  return found;
}

/** Deploys of the same moment are told apart by their services' names. */
function beganBefore(one: string, other: string, services: ServicesNow): boolean {
  const [mine = 0, theirs = 0] = [one, other].map((name) => beganMs(services.get(name)));
  return mine === theirs ? one < other : mine < theirs;
}

function beganMs(service: ServiceNow | "unreadable" | undefined): number {
  return service === undefined || service === "unreadable" ? 0 : Date.parse(service.deploy?.began ?? "");
}

/**
 * The other services that an answer to whether this one may go on rests on: those that its rules name, those that their
 * rules name and so on, since services may wait for each other in a circle, and those with which it shares no host.
 *
 * @param rules of all services, by name
 */
export function heededBy(service: string, rules: ReadonlyMap<string, BetweenServices>): string[] {
  const found = new Set([service]);
  // A set goes through what is added to it meanwhile.
  for (const name of found) {
    const { after = [], notWhile = [] } = rules.get(name) ?? {};
    for (const other of [...after, ...notWhile]) if (rules.has(other)) found.add(other);
  }
  const isAlone = rules.get(service)?.exclusive === true;
  for (const [name, { exclusive }] of rules) if (isAlone || exclusive === true) found.add(name);
  return [...found].filter((name) => name !== service);
}

/** The rules after some of them were given anew; an empty list, or no, takes one away. */
export function rulesAfter(before: BetweenServices | undefined, changes: BetweenServices): BetweenServices | undefined {
  const { notWhile, after, exclusive, ...others } = { ...before, ...changes };
  const rules = {
    ...others,
    ...(notWhile === undefined || notWhile.length === 0 ? {} : { notWhile }),
    ...(after === undefined || after.length === 0 ? {} : { after }),
    ...(exclusive === true ? { exclusive } : {}),
  };
  return Object.keys(rules).length === 0 ? undefined : rules;
}

/**
 * The services that come after each other in a circle through this one, as in web, db, web: rules that contradict
 * themselves, of which whoever sets them should hear. The shortest, or null where there is none. Services that are
 * `notWhile` each other are no contradiction: whoever is first goes first.
 */
export function afterCircle(service: string, rules: ReadonlyMap<string, BetweenServices>): string[] | null {
  const ways = [[service]];
  const seen = new Set<string>();
  // A list goes through what is added to it meanwhile, and so through shorter ways first.
  for (const way of ways) {
    for (const next of rules.get(way.at(-1) ?? "")?.after ?? []) {
      if (next === service) return [...way, next];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return null;
}
