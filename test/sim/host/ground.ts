import type { TrafficSpec } from "../../../src/core/traffic.ts";
import type { HostUser } from "../../../src/support/command.ts";
import type { Chance } from "../chance.ts";
import type { VirtualTime } from "../time.ts";
import type { RestartKind, SimBuild } from "./builds.ts";
import type { ProcessTable } from "./process_table.ts";
import type { SimDisk } from "./sim_disk.ts";

/** A service as its host's own file and its init have it. */
export interface HostService {
  readonly name: string;
  /** Its directory. */
  readonly root: string;
  readonly instances: readonly HostInstance[];
  readonly restart: RestartKind;
  readonly traffic: TrafficSpec["by"];
  /** Where clients come; null where they come to the instances themselves. */
  readonly frontPort: number | null;
  /** How many instances may restart at once. */
  readonly batch: number;
  readonly minAvailable: number;
  readonly user: HostUser;
}

export interface HostInstance {
  readonly name: string;
  readonly port: number;
}

/** What programs find on the machine that they run on. */
export interface Ground {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly disk: SimDisk;
  readonly processes: ProcessTable;
  readonly services: readonly HostService[];
  /** All builds of the world, to tell a release that is whole from one that is not. */
  readonly builds: ReadonlyMap<string, SimBuild>;
  killAgent(): void;
  powerCut(): void;
  /** For the story of a rehearsal: what happens on the machine beside the effects of its agent. */
  tell(what: string): void;
}
