import { buildCommand } from "@stricli/core";
import { removeBuild } from "../../store/remove_build.ts";
import { readService } from "../../store/services.ts";
import { buildArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

export const buildsRemove = buildCommand({
  docs: {
    brief: "Remove a build that nobody serves",
    fullDescription: ctlDescription(
      `Removes a build from ZooKeeper, and a bar on it. This is refused while the build is wished,
while a host serves it, and while the newest deploy would go back to it. Its archive stays
where it is, and hosts remove their own old releases.`,
      "deployd ctl builds remove web 9b1e0d4",
    ),
  },
  parameters: {
    flags: commonFlags,
    positional: { kind: "tuple", parameters: [serviceArgument, buildArgument] },
  },
  func: ctlVerb<CommonFlags, [string, string]>(async ({ connect, output }, _flags, service, build) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    await removeBuild(zk, service, build);
    output.answer({ schema: "deployd.ctl.build-removed/1", service, build }, [`${build} of ${service} is removed.`]);
    return exit.asked;
  }),
});
