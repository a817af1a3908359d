import type { HostStatus } from "../schema/znodes.ts";

/** What /status shows; built for each request. */
export interface AgentStatus {
  readonly host: string;
  readonly version: string;
  readonly startedAt: string;
  readonly zookeeper: {
    readonly state: "connecting" | "connected" | "suspended" | "expired" | "auth-failed" | "closed";
    /** The server in use, or why there is none. */
    readonly detail: string;
    readonly sessionLosses: number;
  };
  /**
   * What keeps this agent from working at all: no session, a tree that it does not understand, its name taken. Empty when
   * nothing does.
   */
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
  /** When a deploy last succeeded here, in epoch milliseconds; 0 where none did. */
  readonly servedAtMs: number;
  readonly download: { readonly bytes: number; readonly of: number } | null;
  readonly instances: readonly InstanceOnHost[];
  /** Processes of other builds that have not ended since a restart, such as workers with their last clients. */
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
  /** The build that its processes show; null when none runs, or none shows it. */
  readonly build: string | null;
  readonly inTraffic: boolean;
}

/** Whether the agent can do its work: it has read every wish, and no other agent has its name. */
export function isReady(view: AgentStatus): boolean {
  return view.problem === "" && view.services.every((service) => service.readAtMs > 0);
}
