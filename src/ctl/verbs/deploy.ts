import { buildCommand } from "@stricli/core";
import { isDeployError, DeployError } from "../../core/errors.ts";
import { startDeploy, type DeployRequest } from "../../store/start_deploy.ts";
import { buildArgument, serviceArgument } from "../arguments.ts";
import { ctlVerb, followDescription, type Ctl } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { changedDocument } from "../deploy_document.ts";
import { deployFlags, deployRequest, type DeployFlags } from "../deploy_request.ts";
import { insist, LastingConnection } from "../../watch/lasting_connection.ts";
import { warnOfMax } from "../max_warning.ts";
import { watchDeploy } from "../watch_deploy.ts";
import { oneLine } from "../../view/words.ts";

export const deploy = buildCommand({
  docs: {
    brief: "Deploy a build to the fleet, or to the canary hosts first",
    fullDescription: followDescription(
      {
        [exit.asked]: "every reachable host serves the build; with --canary, every canary host",
        [exit.failed]: "failed, or aborted",
        [exit.halted]: "halted: more hosts failed than the budget allows; a person has to decide",
      },
      `Deploys a build and follows the deploy to its outcome. With --canary it goes to the canary
hosts only, and to the fleet when it is promoted; --stages has it come to part of the fleet
after the other. The deploy goes on without this command: ending it, or closing the laptop,
changes nothing.`,
      "deployd ctl deploy web 9b1e0d4",
      'deployd ctl deploy web 9b1e0d4 --canary --why "new checkout"',
      "deployd ctl deploy web 9b1e0d4 --max 3 --budget 1 --soak-s 30 --timeout-s 900",
      "deployd ctl deploy web 9b1e0d4 --stages canary,10%/5m,50%/promote --max 10%",
    ),
  },
  parameters: {
    flags: deployFlags,
    positional: { kind: "tuple", parameters: [serviceArgument, buildArgument] },
  },
  func: ctlVerb<DeployFlags, [string, string]>(async (ctl, flags, service, build) => {
    const { output, process, signal, address } = ctl;
    const request = deployRequest(ctl, flags, service, build);
    await using connection = new LastingConnection(ctl.connect, signal, process.clock);
    const { id, record, overtaken } = await startOnce(ctl, connection, request, address.connectTimeoutMs);
    if (overtaken !== null) {
      const { build: other, who, state } = overtaken.record;
      output.note(`! overtakes deploy ${overtaken.id} of ${other} by ${oneLine(who)}, which was ${state}`);
    }
    const zk = connection.connected();
    if (zk !== null) await warnOfMax(zk, service, record.limits.max, output);
    if (flags.detach === true) {
      output.answer(changedDocument(service, { id, record }), [
        `Deploy ${id} of ${record.build} to ${service} is ${record.state}. Follow it with: deployd ctl wait ${service}`,
      ]);
      return exit.asked;
    }
    return await watchDeploy(ctl, connection, { service, id, purpose: "deploy", timeoutS: flags.timeoutS });
  }),
});

/** Starts the deploy, and retries until the answer is known. */
async function startOnce(ctl: Ctl, connection: LastingConnection, request: DeployRequest, forMs: number) {
  try {
    return await insist(connection, ctl.signal, forMs, (zk) => startDeploy(zk, request));
  } catch (error) {
    if (!isDeployError(error) || error.code !== "write-unknown") throw error;
    const { service, build, id } = request;
    throw new DeployError(error.message, {
      code: error.code,
      hint: `Repeat it under the same id, which starts nothing twice: deployd ctl deploy ${service} ${build} --id ${id}`,
      cause: error,
    });
  }
}
