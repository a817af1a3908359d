import type { Instance, TrafficSpec } from "../core/traffic.ts";
import type { Traffic } from "../traffic/effects.ts";

/** What stands between clients and instances on this host. */
export interface TrafficOfMachine {
  /**
   * A back end as agent.toml describes it. Nothing is read or changed yet.
   *
   * @param timeoutMs for each change and each query, in milliseconds
   * @throws DeployError `config-invalid` when it cannot be used with these instances
   */
  backend(spec: TrafficSpec, service: string, instances: readonly Instance[], timeoutMs: number): Traffic;
  /** Connections that the process behind this port of the host still serves. */
  openAt(port: number): Promise<number>;
}
