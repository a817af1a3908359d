import { buildCommand } from "@stricli/core";
import { newDeployId } from "../../core/deploy_id.ts";
import { DeployError } from "../../core/errors.ts";
import { readHead } from "../../store/deploys.ts";
import { readService } from "../../store/services.ts";
import { startDeploy } from "../../store/start_deploy.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlVerb, followDescription } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { changedDocument } from "../deploy_document.ts";
import { commonFlags, limitFlags, limitsIn, sharedFlags, type CommonFlags, type LimitFlags } from "../flags.ts";
import { insist, LastingConnection } from "../../watch/lasting_connection.ts";
import { watchDeploy } from "../watch_deploy.ts";

interface RestartFlags extends CommonFlags, LimitFlags {
  readonly override: string | undefined;
  readonly why: string | undefined;
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
}

export const restartVerb = buildCommand({
  docs: {
    brief: "Restart what runs, host after host, as a deploy would",
    fullDescription: followDescription(
      {
        [exit.asked]: "every reachable host was restarted and serves the build",
        [exit.failed]: "failed, or aborted",
        [exit.halted]: "halted or paused: a person has to decide",
      },
      `Restarts the build that the fleet serves on all hosts, within the same limits, with the same
drains and checks as a deploy, and follows it. A changed environment in agent.toml comes to a
running service by this.`,
      'deployd ctl restart web --why "new database password"',
      "deployd ctl restart web --max 10% --detach",
    ),
  },
  parameters: {
    flags: {
      override: sharedFlags.override,
      why: sharedFlags.why,
      ...limitFlags,
      detach: sharedFlags.detach,
      timeoutS: sharedFlags.timeoutS,
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: ctlVerb<RestartFlags, [string]>(async (ctl, flags, service) => {
    const { output, process, signal, address } = ctl;
    const now = process.now();
    const id = newDeployId(now, process.clock.random);
    await using connection = new LastingConnection(ctl.connect, signal, process.clock);
    const { record } = await insist(connection, signal, address.connectTimeoutMs, async (zk) => {
      await readService(zk, service);
      const { enabled, latest } = await readHead(zk, service);
      const build = enabled.value?.build;
      if (build === undefined) throw nothingServed(service, latest !== null);
      return startDeploy(zk, {
        id,
        service,
        build,
        restarts: true,
        stages: flags.stages,
        who: process.user,
        why: flags.why ?? "restart",
        override: flags.override,
        onHalt: flags.onHalt,
        limits: limitsIn(flags),
        now,
      });
    });
    if (flags.detach !== true)
      return await watchDeploy(ctl, connection, { service, id, purpose: "deploy", timeoutS: flags.timeoutS });
    output.answer(changedDocument(service, { id, record }), [
      `Deploy ${id}, which restarts ${record.build} of ${service}, is ${record.state}. Follow it with: deployd ctl wait ${service}`,
    ]);
    return exit.asked;
  }),
});

function nothingServed(service: string, hasDeploy: boolean): DeployError {
  if (!hasDeploy) {
    return new DeployError(`Cannot restart "${service}": nothing was ever deployed.`, {
      code: "nothing-to-do",
      hint: `Start with: deployd ctl deploy ${service} BUILD`,
    });
  }
  return new DeployError(`Cannot restart "${service}": its fleet serves nothing yet.`, {
    code: "nothing-to-do",
    hint: `Look first: deployd ctl status ${service}`,
  });
}
