import { buildApplication, buildRouteMap, run } from "@stricli/core";
import { DeployError } from "../core/errors.ts";
import type { CtlContext } from "./verb.ts";
import { routeOf, verbFirst } from "../cli/argv.ts";
import { exit, exitCodesHelp, exitForSignal } from "../cli/exit.ts";
import { withValueNames } from "../cli/help.ts";
import { Output } from "../cli/output.ts";
import type { CtlProcess } from "./process.ts";
import { abortVerb } from "./verbs/abort.ts";
import { buildsAdd } from "./verbs/builds_add.ts";
import { buildsBar, buildsUnbar } from "./verbs/builds_bar.ts";
import { buildsList } from "./verbs/builds_list.ts";
import { buildsRemove } from "./verbs/builds_remove.ts";
import { deploy } from "./verbs/deploy.ts";
import { history } from "./verbs/history.ts";
import { hostsForget } from "./verbs/hosts_forget.ts";
import { hostsList } from "./verbs/hosts_list.ts";
import { hostsRole } from "./verbs/hosts_role.ts";
import { hostsUnlock } from "./verbs/hosts_unlock.ts";
import { promoteVerb } from "./verbs/promote.ts";
import { rollbackVerb } from "./verbs/rollback.ts";
import { servicesAccept } from "./verbs/services_accept.ts";
import { servicesList } from "./verbs/services_list.ts";
import { servicesRemove } from "./verbs/services_remove.ts";
import { servicesSet } from "./verbs/services_set.ts";
import { servicesShow } from "./verbs/services_show.ts";
import { status } from "./verbs/status.ts";
import { wait } from "./verbs/wait.ts";

const routes = withValueNames({
  deploy,
  promote: promoteVerb,
  rollback: rollbackVerb,
  abort: abortVerb,
  wait,
  status,
  history,
  builds: buildRouteMap<string, CtlContext>({
    routes: withValueNames({
      add: buildsAdd,
      list: buildsList,
      bar: buildsBar,
      unbar: buildsUnbar,
      remove: buildsRemove,
    }),
    docs: { brief: "Add, list, bar, unbar and remove builds" },
  }),
  hosts: buildRouteMap<string, CtlContext>({
    routes: withValueNames({ list: hostsList, role: hostsRole, unlock: hostsUnlock, forget: hostsForget }),
    docs: { brief: "List hosts, make them canaries, unlock or forget them" },
  }),
  services: buildRouteMap<string, CtlContext>({
    routes: withValueNames({
      set: servicesSet,
      list: servicesList,
      show: servicesShow,
      accept: servicesAccept,
      remove: servicesRemove,
    }),
    docs: { brief: "Make, list, show and remove services, accept what hosts hold" },
  }),
});

/** Every verb, or group of them. */
export const verbs: readonly string[] = Object.keys(routes);

const root = buildRouteMap<string, CtlContext>({
  routes,
  docs: {
    brief: "Deploy builds and watch them",
    fullDescription: `Deploy builds and watch them. Every verb has its own --help.

ZooKeeper is found through DEPLOYD_ZOOKEEPER (or --zookeeper) and DEPLOYD_CHROOT (or
--chroot). A digest login is read from DEPLOYD_ZOOKEEPER_DIGEST (user:password) only.
With --json data goes to stdout as JSON and so do errors, as {"error":{...}}.

EXAMPLES
  deployd ctl services set web --max 2 --budget 1
  deployd ctl builds add web web-9b1e0d4.tar.zst --build 9b1e0d4
  deployd ctl deploy web 9b1e0d4 --canary --why "new checkout"
  deployd ctl promote web 9b1e0d4
  deployd ctl status web --watch

${exitCodesHelp}`,
  },
});

const app = buildApplication<CtlContext>(root, {
  name: "deployd ctl",
  scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
  documentation: { disableAnsiColor: true, onlyRequiredInUsageLine: true },
});

/**
 * `deployd ctl`: runs the verb that `argv` names (without the program's name and `ctl`) and returns the exit code. It
 * never throws and never ends the process.
 */
export async function runCtl(argv: readonly string[], process: CtlProcess): Promise<number> {
  const said: string[] = [];
  const stricliProcess: { stdout: CtlProcess["stdout"]; stderr: CtlProcess["stderr"]; exitCode?: number } = {
    stdout: process.stdout,
    stderr: { write: (text) => void said.push(text) },
  };
  const context: CtlContext & { process: typeof stricliProcess } = {
    process: stricliProcess,
    ctlProcess: process,
    exitCode: null,
  };
  await run(app, verbFirst(root, argv), context);
  if (process.signal.aborted) return exitForSignal(process.signal.reason);
  if (context.exitCode !== null) return context.exitCode;
  const parserCode = stricliProcess.exitCode ?? 0;
  if (parserCode === 0) return exit.asked;
  // The parser's own codes are negative and would arrive as 251 and 252; whatever it refuses is wrong usage.
  new Output(process, wantsJson(argv)).error(usageError(said.join("").trim(), argv));
  return exit.usage;
}

function usageError(said: string, argv: readonly string[]): DeployError {
  const message = said
    .split("\n")
    .map((line) => (/[.?!]$/.test(line) ? line : `${line}.`))
    .join(" ");
  return new DeployError(message, {
    code: "usage",
    hint: `See: ${["deployd ctl", ...routeOf(root, argv), "--help"].join(" ")}`,
  });
}

/** `--json` is looked for by hand because it must count even where the rest of the line could not be read. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}
