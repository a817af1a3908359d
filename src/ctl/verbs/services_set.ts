import { buildCommand } from "@stricli/core";
import { serviceSettingsSchema } from "../../schema/znodes.ts";
import { isNewService } from "../../store/new_service.ts";
import { ensurePath } from "../../store/records.ts";
import { setService } from "../../store/services.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb, type Ctl } from "../verb.ts";
import { openZooKeeper } from "../connection.ts";
import { exit } from "../../cli/exit.ts";
import { isGiven } from "../../cli/flags.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";
import { warnOfMax } from "../max_warning.ts";
import { serviceDocument, serviceLines } from "../service_text.ts";

interface ServicesSetFlags extends CommonFlags {
  readonly max: number | undefined;
  readonly budget: number | undefined;
  readonly soakS: number | undefined;
  readonly new: boolean | undefined;
}

const defaults = serviceSettingsSchema.parse({});

function asItWas(first: number): string {
  return `(default: unchanged; ${first} in a new service)`;
}

export const servicesSet = buildCommand({
  docs: {
    brief: "Make a service, or change its limits",
    fullDescription: ctlDescription(
      `Makes a service, or changes the limits that are given and keeps the others. Deploys that
are under way keep the limits they were started with. A name that is very similar to another
is refused as a typing error, unless --new confirms it.`,
      "deployd ctl services set web",
      "deployd ctl services set web --max 2 --budget 1 --soak-s 30",
    ),
  },
  parameters: {
    flags: {
      max: { ...sharedFlags.max, brief: `Hosts that may be out of service at once ${asItWas(defaults.max)}` },
      budget: {
        ...sharedFlags.budget,
        brief: `Hosts that may fail before a deploy halts ${asItWas(defaults.budget)}`,
      },
      soakS: {
        ...sharedFlags.soakS,
        brief: `Seconds a host must stay healthy before the next one goes ${asItWas(defaults.soakMs / 1000)}`,
      },
      new: isGiven("The name is right, though it is very similar to that of another service"),
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: ctlVerb<ServicesSetFlags, [string]>(async (ctl, { max, budget, soakS, new: isMeant }, service) => {
    await makeChroot(ctl);
    await using zk = await ctl.connect();
    const made = await isNewService(zk, service, isMeant === true);
    const settings = await setService(zk, service, {
      ...(max === undefined ? {} : { max }),
      ...(budget === undefined ? {} : { budget }),
      ...(soakS === undefined ? {} : { soakMs: Math.round(soakS * 1000) }),
    });
    ctl.output.answer({ ...serviceDocument(service, settings), made }, [
      ...(made ? [`Made the service ${service}.`] : []),
      ...serviceLines(service, settings),
    ]);
    await warnOfMax(zk, service, settings.max, ctl.output);
    return exit.asked;
  }),
});

/** Creates deployd's tree for the first service: a client inside a chroot cannot create that chroot. */
async function makeChroot({ address, process, signal }: Ctl): Promise<void> {
  if (address.chroot === "/") return;
  await using zk = await openZooKeeper(address, signal, process, "/");
  await ensurePath(zk, address.chroot);
}
