import { everyExit } from "../cli/exit.ts";
import { description } from "../cli/help.ts";
import { loaded, type LazyGroup } from "../cli/lazy_group.ts";
import type { Group } from "../cli/verb.ts";
import type { CtlProcess } from "./process.ts";

const builds: LazyGroup<CtlProcess> = {
  members: {
    add: async () => (await import("./verbs/builds_add.ts")).buildsAdd,
    list: async () => (await import("./verbs/builds_list.ts")).buildsList,
    bar: async () => (await import("./verbs/builds_bar.ts")).buildsBar,
    unbar: async () => (await import("./verbs/builds_bar.ts")).buildsUnbar,
    remove: async () => (await import("./verbs/builds_remove.ts")).buildsRemove,
  },
  brief: "Add, list, bar, unbar and remove builds",
  fullDescription: description({
    what: "Add, list, bar, unbar and remove the builds of a service.",
    examples: [
      "deployd ctl builds add web web-9b1e0d4.tar.zst --build 9b1e0d4",
      "deployd ctl builds list web",
      'deployd ctl builds bar web 9b1e0d4 --why "leaks connections"',
    ],
  }),
};

const hosts: LazyGroup<CtlProcess> = {
  members: {
    list: async () => (await import("./verbs/hosts_list.ts")).hostsList,
    role: async () => (await import("./verbs/hosts_role.ts")).hostsRole,
    hold: async () => (await import("./verbs/hosts_hold.ts")).hostsHold,
    release: async () => (await import("./verbs/hosts_hold.ts")).hostsRelease,
    leave: async () => (await import("./verbs/hosts_leave.ts")).hostsLeave,
    unlock: async () => (await import("./verbs/hosts_unlock.ts")).hostsUnlock,
    forget: async () => (await import("./verbs/hosts_forget.ts")).hostsForget,
  },
  brief: "List hosts, make them canaries, hold, release, unlock or forget them, have them leave",
  fullDescription: description({
    what: "List the hosts of a service, make them canary hosts, hold, release, unlock or forget them, and have them leave.",
    examples: ["deployd ctl hosts list web", "deployd ctl hosts role web web-01 canary"],
  }),
};

const services: LazyGroup<CtlProcess> = {
  members: {
    set: async () => (await import("./verbs/services_set.ts")).servicesSet,
    list: async () => (await import("./verbs/services_list.ts")).servicesList,
    show: async () => (await import("./verbs/services_show.ts")).servicesShow,
    accept: async () => (await import("./verbs/services_accept.ts")).servicesAccept,
    remove: async () => (await import("./verbs/services_remove.ts")).servicesRemove,
  },
  brief: "Make, list, show and remove services, accept what hosts hold",
  fullDescription: description({
    what: "Make, list, show and remove services, and accept the wishes that their hosts hold.",
    examples: ["deployd ctl services set web --max 2 --budget 1", "deployd ctl services list"],
  }),
};

const ctl: LazyGroup<CtlProcess> = {
  members: {
    plan: async () => (await import("./verbs/plan.ts")).planVerb,
    deploy: async () => (await import("./verbs/deploy.ts")).deploy,
    stage: async () => (await import("./verbs/stage.ts")).stageVerb,
    restart: async () => (await import("./verbs/restart.ts")).restartVerb,
    promote: async () => (await import("./verbs/promote.ts")).promoteVerb,
    rollback: async () => (await import("./verbs/rollback.ts")).rollbackVerb,
    pause: async () => (await import("./verbs/pause.ts")).pauseVerb,
    resume: async () => (await import("./verbs/resume.ts")).resumeVerb,
    retry: async () => (await import("./verbs/retry.ts")).retryVerb,
    abort: async () => (await import("./verbs/abort.ts")).abortVerb,
    freeze: async () => (await import("./verbs/freeze.ts")).freezeVerb,
    unfreeze: async () => (await import("./verbs/freeze.ts")).unfreezeVerb,
    wait: async () => (await import("./verbs/wait.ts")).wait,
    status: async () => (await import("./verbs/status.ts")).status,
    monitor: async () => (await import("./verbs/monitor.ts")).monitorVerb,
    serve: async () => (await import("./verbs/serve.ts")).serveVerb,
    history: async () => (await import("./verbs/history.ts")).history,
    logs: async () => (await import("./verbs/logs.ts")).logsVerb,
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
};

/**
 * `deployd ctl`.
 *
 * @param words that follow on the command line: where they name a verb, the others are left out
 */
export const ctlFor = (words: readonly string[]): Promise<Group<CtlProcess>> => loaded(ctl, words);
