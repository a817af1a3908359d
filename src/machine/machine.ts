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
 * Everything through which an agent acts on its host, and learns of it. `main` makes a real one of what is in host/; the
 * rehearsal makes as many as it has hosts.
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
  /** Tells one boot of the machine from the next, also where it is a container, whose processes end with its first one. */
  readonly bootId: string;
  /** Of the agent itself. */
  readonly pid: number;
  /** Whether the agent may become other users. */
  readonly isRoot: boolean;
}
