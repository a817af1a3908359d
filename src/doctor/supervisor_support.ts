import type { RestartSpec } from "../core/resolved_recipe.ts";

/** Whether this host can restart services in a certain way, for people. */
export interface SupervisorSupport {
  readonly strategy: RestartSpec["by"];
  readonly supported: boolean;
  readonly detail: string;
  /** The Debian package that would have to be there. */
  readonly missing?: string;
}

export interface SupervisorFacts {
  /** Where a program lies; null when it is not there. */
  find(program: string): string | null;
  exists(path: string): Promise<boolean>;
}

const PROGRAMS: readonly (readonly [strategy: RestartSpec["by"], program: string, debianPackage: string])[] = [
  ["runit", "sv", "runit"],
  ["s6", "s6-svc", "s6"],
  ["supervisord", "supervisorctl", "supervisor"],
];

/** Which supervisors this host has. It only looks. */
export async function supervisorSupport(facts: SupervisorFacts): Promise<SupervisorSupport[]> {
  const systemd = await systemdSupport(facts);
  return [
    { strategy: "systemd", ...systemd },
    { strategy: "systemd-socket", ...systemd },
    ...PROGRAMS.map(([strategy, program, missing]): SupervisorSupport => {
      const path = facts.find(program);
      return path === null
        ? { strategy, supported: false, detail: `there is no program "${program}"`, missing }
        : { strategy, supported: true, detail: path };
    }),
    { strategy: "command", supported: true, detail: "runs the build's own commands" },
    { strategy: "signal", supported: true, detail: "sends signals to the process in a pid file" },
  ];
}

async function systemdSupport(facts: SupervisorFacts): Promise<Omit<SupervisorSupport, "strategy">> {
  const path = facts.find("systemctl");
  if (path === null) return { supported: false, detail: 'there is no program "systemctl"', missing: "systemd" };
  // Made by systemd when it is the init of the machine (sd_booted(3)).
  if (await facts.exists("/run/systemd/system")) return { supported: true, detail: path };
  return { supported: false, detail: "this machine was not booted by systemd" };
}
