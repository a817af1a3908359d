import { buildCommand } from "@stricli/core";
import { readService } from "../../store/services.ts";
import { acceptWishes } from "../../store/wishes.ts";
import { count } from "../../view/words.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

export const servicesAccept = buildCommand({
  docs: {
    brief: "Have hosts follow a wish that is older than what they serve",
    fullDescription: ctlDescription(
      `A ZooKeeper that was restored from a backup wishes builds that are older than what its
hosts have followed. They hold such a wish, keep serving what they serve, and say so in
\`status\`. This makes them follow what is wished now. A new deploy, a promotion or a rollback
is followed without it.`,
      "deployd ctl services accept web",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument] } },
  func: ctlVerb<CommonFlags, [string]>(async ({ connect, output }, _flags, service) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    const { hosts, builds } = await acceptWishes(zk, service);
    output.answer({ schema: "deployd.ctl.service-accepted/1", service, hosts, builds }, [
      acceptedText(service, hosts.length, builds),
    ]);
    return exit.asked;
  }),
});

function acceptedText(service: string, hosts: number, builds: readonly string[]): string {
  if (hosts === 0) return `No host of ${service} holds a wish; nothing was changed.`;
  const held = `${count(hosts, "host")} of ${service} held a wish`;
  if (builds.length === 0) return `${held}, and there is none any more; nothing is followed.`;
  return `${held}; now ${builds.join(" and ")} is followed. Watch with: deployd ctl status ${service} --watch`;
}
