import { buildCommand } from "@stricli/core";
import { DeployError } from "../../core/errors.ts";
import { readDeploy, readHead } from "../../store/deploys.ts";
import { readService } from "../../store/services.ts";
import { parseDeployId, serviceArgument } from "../arguments.ts";
import { exit } from "../../cli/exit.ts";
import { ctlVerb, followDescription } from "../verb.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";
import { LastingConnection } from "../../watch/lasting_connection.ts";
import { watchDeploy } from "../watch_deploy.ts";

interface WaitFlags extends CommonFlags {
  readonly deploy: string | undefined;
  readonly timeoutS: number | undefined;
}

export const wait = buildCommand({
  docs: {
    brief: "Follow a deploy to its outcome",
    fullDescription: followDescription(
      { [exit.asked]: "done, or waiting for its promotion", [exit.failed]: "failed, or aborted" },
      "Follows the newest deploy of a service, or the one that --deploy names, to its\noutcome. A deploy that waits for its promotion has come to one.",
      "deployd ctl wait web",
      "deployd ctl wait web --deploy 20260701-120000-ab12 --timeout-s 600",
    ),
  },
  parameters: {
    flags: {
      deploy: {
        kind: "parsed",
        parse: parseDeployId,
        brief: "Id of the deploy (default: the newest)",
        placeholder: "id",
        optional: true,
      },
      timeoutS: sharedFlags.timeoutS,
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: ctlVerb<WaitFlags, [string]>(async (ctl, { deploy, timeoutS }, service) => {
    await using connection = new LastingConnection(ctl.connect, ctl.signal, ctl.process.clock);
    const zk = await connection.client();
    await readService(zk, service, () => {});
    const { id } = deploy === undefined ? await newest() : await readDeploy(zk, service, deploy);
    return await watchDeploy(ctl, connection, { service, id, purpose: "wait", timeoutS });

    async function newest(): Promise<{ id: string }> {
      const { latest, damaged } = await readHead(zk, service);
      if (damaged !== null) throw damaged;
      if (latest !== null) return latest;
      throw new DeployError(`Cannot wait for a deploy of "${service}": nothing was ever deployed.`, {
        code: "nothing-to-do",
        hint: `Start with: deployd ctl deploy ${service} BUILD`,
      });
    }
  }),
});
