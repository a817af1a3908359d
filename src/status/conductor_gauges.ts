import type { Registry } from "prom-client";
import { hostPlaces, type ServiceReport } from "../core/service_report.ts";
import { deployStateSchema } from "../schema/deploy_record.ts";
import { gauge, type SetSample } from "./series.ts";

/**
 * How the deploys of all services stand, in a single place: the agent that conducts. Other agents have none of these
 * series.
 *
 * @param conducted what the conductor sees; null while this agent does not conduct
 */
export function conductorGauges(registry: Registry, conducted: () => readonly ServiceReport[] | null): void {
  const each = <L extends string>(
    name: string,
    help: string,
    more: readonly L[],
    fill: (report: ServiceReport, set: SetSample<L>) => void,
  ): void =>
    gauge<"service" | L>(registry, name, help, ["service", ...more], (set) => {
      for (const report of conducted() ?? []) {
        const { service } = report;
        fill(report, (labels, value) => set({ service, ...labels } as Parameters<typeof set>[0], value));
      }
    });

  gauge(registry, "deployd_conductor", "1 while this agent conducts the deploys.", [], (set) =>
    set({}, conducted() === null ? 0 : 1),
  );
  each(
    "deployd_deploy_state",
    "1 for the state that the newest deploy of the service is in; from the conductor alone.",
    ["state"],
    ({ deploy }, set) => {
      for (const state of deployStateSchema.options) set({ state }, deploy?.state === state ? 1 : 0);
    },
  );
  each(
    "deployd_deploy_info",
    "The newest deploy of the service and the build that it brings; from the conductor alone.",
    ["deploy", "build"],
    ({ deploy }, set) => {
      if (deploy !== null) set({ deploy: deploy.id, build: deploy.build }, 1);
    },
  );
  each(
    "deployd_deploy_hosts",
    "Hosts of the newest deploy by where they are in it; from the conductor alone.",
    ["state"],
    ({ hosts }, set) => {
      for (const state of hostPlaces) set({ state }, hosts[state]);
    },
  );
  each(
    "deployd_deploy_progress_age_seconds",
    "Seconds in which nothing has moved in the deploy under way, 0 where none is; from the conductor alone.",
    [],
    ({ stillForMs }, set) => set({}, stillForMs / 1000),
  );
  each(
    "deployd_fleet_hosts",
    "Hosts of the service by whether their agent is connected; from the conductor alone.",
    ["agent"],
    ({ agents }, set) => {
      for (const agent of ["connected", "away"] as const) set({ agent }, agents[agent]);
    },
  );
  each(
    "deployd_fleet_unreadable_records",
    "Records of the service in ZooKeeper that cannot be read; from the conductor alone.",
    [],
    ({ unreadable }, set) => set({}, unreadable),
  );
}
