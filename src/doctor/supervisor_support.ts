import type { RestartSpec } from "../core/resolved_recipe.ts";

/** Whether this host supports one way to restart services, described for people. */
export interface SupervisorSupport {
  readonly strategy: RestartSpec["by"];
  readonly supported: boolean;
  readonly detail: string;
  /** The Debian package that is required and missing. */
  readonly missing?: string;
}

export interface SupervisorFacts {
  /** The path of a program; null if it is not installed. */
  find(program: string): string | null;
  exists(path: string): Promise<boolean>;
}

const PROGRAMS: readonly (readonly [strategy: RestartSpec["by"], program: string, debianPackage: string])[] = [
  ["runit", "sv", "runit"],
  ["s6", "s6-svc", "s6"],
  ["supervisord", "supervisorctl", "supervisor"],
];

/** Which supervisors this host has. It only looks and changes nothing. */
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
  // systemd creates it when it is the init of the machine (sd_booted(3)).
  if (await facts.exists("/run/systemd/system")) return { supported: true, detail: path };
  return { supported: false, detail: "this machine was not booted by systemd" };
}
