import { everyExit } from "../cli/exit.ts";
import { description, group } from "../cli/help.ts";
import { abortVerb } from "./verbs/abort.ts";
import { buildsAdd } from "./verbs/builds_add.ts";
import { buildsBar, buildsUnbar } from "./verbs/builds_bar.ts";
import { buildsList } from "./verbs/builds_list.ts";
import { buildsRemove } from "./verbs/builds_remove.ts";
import { deploy } from "./verbs/deploy.ts";
import { freezeVerb, unfreezeVerb } from "./verbs/freeze.ts";
import { history } from "./verbs/history.ts";
import { hostsForget } from "./verbs/hosts_forget.ts";
import { hostsHold, hostsRelease } from "./verbs/hosts_hold.ts";
import { hostsLeave } from "./verbs/hosts_leave.ts";
import { hostsList } from "./verbs/hosts_list.ts";
import { hostsRole } from "./verbs/hosts_role.ts";
import { hostsUnlock } from "./verbs/hosts_unlock.ts";
import { logsVerb } from "./verbs/logs.ts";
import { monitorVerb } from "./verbs/monitor.ts";
import { pauseVerb } from "./verbs/pause.ts";
import { planVerb } from "./verbs/plan.ts";
import { promoteVerb } from "./verbs/promote.ts";
import { resumeVerb } from "./verbs/resume.ts";
import { retryVerb } from "./verbs/retry.ts";
import { restartVerb } from "./verbs/restart.ts";
import { rollbackVerb } from "./verbs/rollback.ts";
import { serveVerb } from "./verbs/serve.ts";
import { servicesAccept } from "./verbs/services_accept.ts";
import { servicesList } from "./verbs/services_list.ts";
import { servicesRemove } from "./verbs/services_remove.ts";
import { servicesSet } from "./verbs/services_set.ts";
import { servicesShow } from "./verbs/services_show.ts";
import { stageVerb } from "./verbs/stage.ts";
import { status } from "./verbs/status.ts";
import { wait } from "./verbs/wait.ts";
import type { CtlProcess } from "./process.ts";

const builds = group<CtlProcess>({
  members: { add: buildsAdd, list: buildsList, bar: buildsBar, unbar: buildsUnbar, remove: buildsRemove },
  brief: "Add, list, bar, unbar and remove builds",
  fullDescription: description({
    what: "Add, list, bar, unbar and remove the builds of a service.",
    examples: [
      "deployd ctl builds add web web-9b1e0d4.tar.zst --build 9b1e0d4",
      "deployd ctl builds list web",
      'deployd ctl builds bar web 9b1e0d4 --why "leaks connections"',
    ],
  }),
});

const hosts = group<CtlProcess>({
  members: {
    list: hostsList,
    role: hostsRole,
    hold: hostsHold,
    release: hostsRelease,
    leave: hostsLeave,
    unlock: hostsUnlock,
    forget: hostsForget,
  },
  brief: "List hosts, make them canaries, hold, release, unlock or forget them, have them leave",
  fullDescription: description({
    what: "List the hosts of a service, make them canary hosts, hold, release, unlock or forget them, and have them leave.",
    examples: ["deployd ctl hosts list web", "deployd ctl hosts role web web-01 canary"],
  }),
});

const services = group<CtlProcess>({
  members: {
    set: servicesSet,
    list: servicesList,
    show: servicesShow,
    accept: servicesAccept,
    remove: servicesRemove,
  },
  brief: "Make, list, show and remove services, accept what hosts hold",
  fullDescription: description({
    what: "Make, list, show and remove services, and accept the wishes that their hosts hold.",
    examples: ["deployd ctl services set web --max 2 --budget 1", "deployd ctl services list"],
  }),
});

/** `deployd ctl`. */
export const ctl = group<CtlProcess>({
  members: {
    plan: planVerb,
    deploy,
    stage: stageVerb,
    restart: restartVerb,
    promote: promoteVerb,
    rollback: rollbackVerb,
    pause: pauseVerb,
    resume: resumeVerb,
    retry: retryVerb,
    abort: abortVerb,
    freeze: freezeVerb,
    unfreeze: unfreezeVerb,
    wait,
    status,
    monitor: monitorVerb,
    serve: serveVerb,
    history,
    logs: logsVerb,
    builds,
    hosts,
    services,
  },
  brief: "Deploy, promote, roll back, look",
  fullDescription: description({
    what: `Deploy builds and watch them. Every verb has its own --help.

ZooKeeper is found through DEPLOYD_ZOOKEEPER (or --zookeeper) and DEPLOYD_CHROOT (or
--chroot). A digest login is read from DEPLOYD_ZOOKEEPER_DIGEST (user:password) only.
With --json data goes to stdout as JSON and so do errors, as {"error":{...}}.`,
    examples: [
      "deployd ctl services set web --max 2 --budget 1",
      "deployd ctl builds add web web-9b1e0d4.tar.zst --build 9b1e0d4",
      'deployd ctl deploy web 9b1e0d4 --canary --why "new checkout"',
      "deployd ctl promote web 9b1e0d4",
      "deployd ctl status web --watch",
    ],
    exits: everyExit,
  }),
});
