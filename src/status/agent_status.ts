import type { HostStatus } from "../schema/znodes.ts";

/** What /status shows; the agent makes it anew for each request. */
export interface AgentStatus {
  readonly host: string;
  readonly version: string;
  readonly startedAt: string;
  readonly zookeeper: {
    readonly state: "connecting" | "connected" | "suspended" | "expired" | "auth-failed" | "closed";
    /** The server in use, or what keeps the agent from one. */
    readonly detail: string;
    readonly sessionLosses: number;
  };
  /** What keeps this agent from working at all: no session, a tree it does not know, its name taken. Empty when nothing does. */
  readonly problem: string;
  readonly services: readonly ServiceOnHost[];
}

export interface ServiceOnHost {
  readonly service: string;
  readonly status: HostStatus;
  /** What keeps the host from following its wish; empty when nothing does. */
  readonly problem: string;
  /** When ZooKeeper was last read, in epoch milliseconds; 0 before the first time. */
  readonly readAtMs: number;
  /** When a deploy last came to its good end here, in epoch milliseconds; 0 where none did. */
  readonly servedAtMs: number;
  readonly download: { readonly bytes: number; readonly of: number } | null;
  readonly instances: readonly InstanceOnHost[];
  /** Processes of other builds that a restart has not ended yet, such as workers with their last clients. */
  readonly leftovers: readonly { readonly pid: number; readonly build: string }[];
  /** The restart that is under way; null when none is. */
  readonly restart: {
    readonly phase: string;
    readonly batch: readonly string[];
    readonly sinceMs: number;
  } | null;
}

interface InstanceOnHost {
  readonly name: string;
  /** The build its processes show; null when none runs, or none shows it. */
  readonly build: string | null;
  readonly inTraffic: boolean;
}

/** The agent can do its work: it has read every wish and nobody else has its name. */
export function isReady(view: AgentStatus): boolean {
  return view.problem === "" && view.services.every((service) => service.readAtMs > 0);
}
