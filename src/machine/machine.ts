import type { Clock } from "../support/clock.ts";
import type { Archive } from "./archive.ts";
import type { Commands } from "./commands.ts";
import type { Disk } from "./disk.ts";
import type { Lock } from "./lock.ts";
import type { Network } from "./network.ts";
import type { Probes } from "./probes.ts";
import type { Processes } from "./processes.ts";
import type { ServiceManager } from "./service_manager.ts";
import type { TrafficOfMachine } from "./traffic.ts";

/**
 * Everything by which an agent acts on its host and observes it. `main` makes a real one from what is in host/; the
 * rehearsal makes one for each of its hosts.
 */
export interface Machine {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly commands: Commands;
  readonly archive: Archive;
  readonly probes: Probes;
  readonly traffic: TrafficOfMachine;
  readonly lock: Lock;
  readonly manager: ServiceManager;
  readonly network: Network;
  /** Differs from one boot of the machine to the next; also for a container, whose processes end with its first one. */
  readonly bootId: string;
  /** The agent's own pid. */
  readonly pid: number;
  /** Whether the agent may become other users. */
  readonly isRoot: boolean;
}
