import type { AppManners } from "./app.ts";
import type { FailureClass } from "./load.ts";

/*
 * The table: strategy by app by stop, and what is expected of each. What is not expected is measured and told all the
 * same.
 */

/** How copies are restarted, and what keeps clients away meanwhile. */
type Strategy =
  | "haproxy"
  | "nft"
  | "iptables-legacy"
  | "iptables-nft"
  | "reject"
  | "systemd-socket"
  /** Only the socket is systemd's; the unit behind it is simply restarted. */
  | "socket-restart"
  /** Copies behind a spread that nobody changes, restarted one after the other by the agent. */
  | "plain"
  /** The same by a loop of the kind that Ansible runs: stop, start, wait for the port. */
  | "loop";

interface Expectation {
  /** At most so many requests that failed, of all classes or of these. */
  readonly failed?: number;
  readonly none?: readonly FailureClass[];
  readonly late?: number;
  /** At least so many requests in `ROLLS` rolls, or the figures mean little. */
  readonly requests?: number;
  /** At most, for the ordinary roll; in milliseconds. */
  readonly rollMs?: number;
  /** Something must fail: the load sees what it is there for. */
  readonly fails?: true;
  /** The agent tells how many connections it closed. */
  readonly tellsClosed?: true;
}

export interface Variant extends AppManners {
  readonly strategy: Strategy;
  /** Who asks: ordinary HTTP clients; these with clients of WebSockets besides; clients of the line protocol alone. */
  readonly clients: "http" | "webSocket" | "line";
  /** The build's [drain]; null for none. */
  readonly drain: string | null;
  /** The balancer outside, where there is one: how often it tries again; its own default unless given. */
  readonly retries?: number;
  readonly expects: Expectation;
  /** In words, where the columns do not say it all. */
  readonly note?: string;
}

/** Rolls in a row that make a row of the table. */
export const ROLLS = 3;

const COOPERATES = { cooperates: true } as const;
const DOES_NOT = { cooperates: false } as const;
const GRACEFUL = { stop: "graceful" } as const;
const ABRUPT = { stop: "abrupt" } as const;
const HTTP = { clients: "http" } as const;

/** Longer than the slowest request, so that no request is cut; what is left then is closed. */
export const SHORT_DEADLINE_S = 3;

const PATIENT = 'signal = "USR2"\nresume_signal = "HUP"\ndeadline_s = 20';
const SHORT = `signal = "USR2"\ndeadline_s = ${SHORT_DEADLINE_S}\nforce = ["idle"]`;

const LOSSLESS = { failed: 0, late: 0 } as const;

function steered(strategy: "nft" | "iptables-legacy" | "iptables-nft"): Variant[] {
  return [
    { strategy, ...COOPERATES, ...GRACEFUL, ...HTTP, drain: PATIENT, expects: { failed: 0, requests: 8_000 } },
    { strategy, ...COOPERATES, ...ABRUPT, ...HTTP, drain: PATIENT, expects: { failed: 0 } },
    {
      strategy,
      ...DOES_NOT,
      ...GRACEFUL,
      ...HTTP,
      drain: SHORT,
      expects: { none: ["refused", "broken", "timeout", "5xx"], tellsClosed: true },
    },
    { strategy, ...DOES_NOT, ...ABRUPT, ...HTTP, drain: SHORT, expects: { none: ["refused"], tellsClosed: true } },
  ];
}

export const VARIANTS: readonly Variant[] = [
  ...([DOES_NOT, COOPERATES] as const).flatMap((app) =>
    ([GRACEFUL, ABRUPT] as const).map((stop): Variant => ({
      strategy: "haproxy",
      ...app,
      ...stop,
      ...HTTP,
      drain: PATIENT,
      // An app that does not cooperate is the harder case; one is enough to say how long it takes.
      expects: app.cooperates ? LOSSLESS : { ...LOSSLESS, rollMs: 12_000 },
    })),
  ),
  { strategy: "haproxy", ...DOES_NOT, ...GRACEFUL, clients: "webSocket", drain: SHORT, expects: { failed: 0 } },
  { strategy: "haproxy", ...COOPERATES, ...GRACEFUL, clients: "line", drain: PATIENT, expects: { failed: 0 } },
  ...steered("nft"),
  { strategy: "nft", ...COOPERATES, ...GRACEFUL, clients: "webSocket", drain: SHORT, expects: { failed: 0 } },
  { strategy: "nft", ...COOPERATES, ...GRACEFUL, clients: "line", drain: PATIENT, expects: { failed: 0 } },
  ...steered("iptables-legacy"),
  ...steered("iptables-nft"),
  // A balancer keeps idle connections for a time of its own, and does not use them any more: nobody loses by their end.
  { strategy: "reject", ...COOPERATES, ...GRACEFUL, ...HTTP, drain: SHORT, expects: { failed: 0 } },
  {
    strategy: "reject",
    ...COOPERATES,
    ...GRACEFUL,
    ...HTTP,
    drain: SHORT,
    retries: 0,
    expects: {},
    note: "the balancer does not try again",
  },
  { strategy: "systemd-socket", ...COOPERATES, ...GRACEFUL, ...HTTP, drain: PATIENT, expects: LOSSLESS },
  {
    strategy: "systemd-socket",
    ...DOES_NOT,
    ...GRACEFUL,
    ...HTTP,
    drain: null,
    expects: { none: ["refused"] },
    note: "no drain",
  },
  {
    strategy: "socket-restart",
    ...DOES_NOT,
    ...GRACEFUL,
    ...HTTP,
    drain: null,
    expects: { none: ["refused"] },
    note: "one unit behind a socket, restarted",
  },
  { strategy: "plain", ...COOPERATES, ...GRACEFUL, ...HTTP, drain: null, expects: { fails: true } },
  { strategy: "plain", ...COOPERATES, ...ABRUPT, ...HTTP, drain: null, expects: { fails: true } },
  { strategy: "loop", ...COOPERATES, ...GRACEFUL, ...HTTP, drain: null, expects: { fails: true } },
];

/** `nft-nocoop-graceful`, and what else tells it from the others. */
export function nameOf(variant: Variant): string {
  const { strategy, cooperates, stop, clients, retries, drain } = variant;
  const parts = [strategy, cooperates ? "coop" : "nocoop", stop];
  if (clients !== "http") parts.push(clients.toLowerCase());
  if (retries !== undefined) parts.push(`retries${retries}`);
  if (strategy === "systemd-socket" && drain === null) parts.push("nodrain");
  return parts.join("-");
}

/** The same as a sentence. */
export function sentenceOf(variant: Variant): string {
  const { strategy, cooperates, stop, clients, expects, note } = variant;
  const manners = cooperates ? "cooperates" : "does not cooperate";
  const app = `an app that ${manners} and stops ${stop === "graceful" ? "gracefully" : "abruptly"}`;
  const whom =
    clients === "http" ? "" : clients === "line" ? ", over a protocol of lines" : ", with WebSockets besides";
  return `${strategy}${note === undefined ? "" : ` (${note})`}: ${app}${whom}, ${outcomeOf(expects)}`;
}

function outcomeOf(expects: Expectation): string {
  if (expects.fails === true) return "drops requests, and the load sees it";
  if (expects.failed === 0) return expects.late === 0 ? "drops no request and delays none" : "drops no request";
  if (expects.none !== undefined) return `drops no request as ${expects.none.join(", ")}`;
  return "is measured";
}
