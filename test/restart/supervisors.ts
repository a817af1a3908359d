import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import type { SupervisorEffects } from "../../src/restart/effects.ts";
import { run } from "../harness/fleet_program.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { answers, daemon, supervised, type Supervised } from "./supervised.ts";

/** A real supervisor that watches one service, which serves. */
interface Watched extends Supervised, AsyncDisposable {
  /** Names the service, as a recipe does. */
  spec(timeoutMs?: number): RestartSpec;
  readonly effects: SupervisorEffects;
}

/** One supervisor as the contract drives it. */
interface SupervisorUnderTest {
  readonly name: string;
  begin(): Promise<Watched>;
  /** What asks it, the Debian package that has that, and the service of a host that lacks it. */
  readonly program: string;
  readonly debianPackage: string;
  readonly spec: RestartSpec;
  /** What a hint says of a service that did not start: by which words one looks at it. */
  looksAt(service: Watched): string;
}

const TIMEOUT_MS = 20_000;

export function byRunit(service: string, timeoutMs = TIMEOUT_MS): Extract<RestartSpec, { by: "runit" }> {
  return { by: "runit", service, timeoutMs };
}

export function byS6(service: string, timeoutMs = TIMEOUT_MS): Extract<RestartSpec, { by: "s6" }> {
  return { by: "s6", service, timeoutMs };
}

export function bySupervisord(program: string, timeoutMs = TIMEOUT_MS): Extract<RestartSpec, { by: "supervisord" }> {
  return { by: "supervisord", program, timeoutMs };
}

const runit: SupervisorUnderTest = {
  name: "runit",
  begin: () =>
    watched(async ({ service, stack }) => {
      stack.use(daemon(["/usr/bin/runsv", service.directory]));
      return { spec: (timeoutMs) => byRunit(service.directory, timeoutMs) };
    }),
  program: "sv",
  debianPackage: "runit",
  spec: byRunit("/etc/service/web"),
  looksAt: ({ directory }) => `sv status ${directory}`,
};

const s6: SupervisorUnderTest = {
  name: "s6",
  begin: () =>
    watched(async ({ service, stack }) => {
      stack.use(daemon(["/usr/bin/s6-supervise", service.directory]));
      // The service has a session of its own, so it does not end with its supervisor.
      stack.defer(async () => {
        await run(["s6-svc", "-wD", "-T", "5000", "-dk", service.directory], { timeoutMs: TIMEOUT_MS });
      });
      return { spec: (timeoutMs) => byS6(service.directory, timeoutMs) };
    }),
  program: "s6-svc",
  debianPackage: "s6",
  spec: byS6("/run/service/web"),
  looksAt: ({ directory }) => `s6-svstat ${directory}`,
};

/** supervisord with programs `web`, which serves, `pair:pair_0` and `pair:pair_1`, and `brief`, which ends at once. */
const supervisord: SupervisorUnderTest = {
  name: "supervisord",
  begin: () =>
    watched(async ({ service, stack, dir }) => {
      const config = join(dir, "supervisord.conf");
      await writeFile(config, supervisordConfig(dir, service));
      stack.use(daemon(["/usr/bin/supervisord", "-c", config], "TERM"));
      return { spec: (timeoutMs) => bySupervisord("web", timeoutMs), supervisordConfig: config };
    }),
  program: "supervisorctl",
  debianPackage: "supervisor",
  spec: bySupervisord("web"),
  looksAt: () => "supervisorctl status web",
};

export const supervisors = [runit, s6, supervisord] as const;

interface Setting {
  readonly service: Supervised;
  readonly stack: AsyncDisposableStack;
  readonly dir: string;
}

async function watched(
  watch: (setting: Setting) => Promise<Pick<Watched, "spec"> & { readonly supervisordConfig?: string }>,
): Promise<Watched> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir()).path;
  const service = await supervised(join(dir, "web"));
  const { spec, ...more } = await watch({ service, stack, dir });
  await answers(service, "first");
  const kept = stack.move();
  const effects = { ...hostEffects(dir), ...more };
  return { ...service, spec, effects, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function supervisordConfig(dir: string, { directory }: Supervised): string {
  const socket = join(dir, "socket");
  return `[unix_http_server]
file=${socket}
[supervisord]
nodaemon=true
logfile=${dir}/supervisord.log
pidfile=${dir}/pid
childlogdir=${dir}
${process.getuid?.() === 0 ? "user=root" : ""}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
[program:web]
command=${directory}/run
startretries=0
[program:pair]
command=sleep 300
process_name=pair_%(process_num)s
numprocs=2
[program:brief]
command=sh -c "sleep 0.2; exit 3"
autostart=false
startsecs=0
`;
}
