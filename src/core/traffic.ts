/** One copy of a service on this host (`web@1`), as the host's own file names it. */
export interface Instance {
  readonly name: string;
  /** Where it listens on this host; null where nothing needs to know. */
  readonly port: number | null;
}

/** What keeps new connections from an instance while it restarts; the host's own file says it, never a build. */
export type TrafficSpec =
  /** Nothing does. */
  | { readonly by: "none" }
  /** A rule in a table of our own spreads `port` over the instances that are on. */
  | { readonly by: "nft"; readonly port: number }
  /** The same by a chain of our own in iptables' nat table. */
  | { readonly by: "iptables"; readonly port: number; readonly variant: "auto" | "legacy" | "nft" }
  /** An HAProxy on this host, by its runtime API. `server` is the server's name, `${DEPLOYD_INSTANCE}` the instance. */
  | { readonly by: "haproxy"; readonly socket: string; readonly backend: string; readonly server: string }
  /** New connections from other hosts are refused, so that a balancer outside takes its own away. */
  | { readonly by: "reject" }
  /** Commands of the host's own file. */
  | { readonly by: "hook"; readonly off: string; readonly on: string };

export type { RestartPhase } from "../schema/journal.ts";
