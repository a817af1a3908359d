import { buildCommand } from "@stricli/core";
import { removeService } from "../../store/remove_service.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

export const servicesRemove = buildCommand({
  docs: {
    brief: "Remove a service that no host has any more",
    fullDescription: ctlDescription(
      `Removes a service from ZooKeeper, with its builds and its history. It is refused while a
deploy is under way and while hosts are registered for it: take it out of their agent.toml
and forget them first. Files on their disks, and what runs there, are left alone.`,
      "deployd ctl services remove wbe",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument] } },
  func: ctlVerb<CommonFlags, [string]>(async ({ connect, output }, _flags, service) => {
    await using zk = await connect();
    await removeService(zk, service);
    output.answer({ schema: "deployd.ctl.service-removed/1", service }, [`${service} is removed from ZooKeeper.`]);
    return exit.asked;
  }),
});
