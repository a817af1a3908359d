import type { TrafficCommon, TrafficSection } from "../schema/traffic_sections.ts";

/** One instance of a service on this host (`web@1`), as agent.toml names it. */
export interface Instance {
  readonly name: string;
  /** The port that it listens on; null where nothing needs to know. */
  readonly port: number | null;
}

/** What keeps new connections from an instance while it restarts. agent.toml says it, never a build. */
export type TrafficSpec = WithoutCommon<TrafficSection>;
type WithoutCommon<Section> = Section extends unknown ? Omit<Section, keyof TrafficCommon> : never;
