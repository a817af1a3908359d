import { buildCommand } from "@stricli/core";
import { parseWindows } from "../../core/windows.ts";
import type { BetweenServices } from "../../schema/between_services.ts";
import { serviceName, targetName } from "../../schema/names.ts";
import { notifySchema } from "../../schema/notify.ts";
import { parse } from "../../schema/problems.ts";
import { serviceSettingsSchema } from "../../schema/znodes.ts";
import { isNewService } from "../../store/new_service.ts";
import { ensurePath } from "../../store/records.ts";
import { setService } from "../../store/services.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb, type Ctl } from "../verb.ts";
import { openZooKeeper } from "../connection.ts";
import { exit } from "../../cli/exit.ts";
import { isGiven, matching } from "../../cli/flags.ts";
import { commonFlags, limitsIn, sharedFlags, type CommonFlags, type LimitFlags } from "../flags.ts";
import { warnOfMax } from "../max_warning.ts";
import { serviceDocument, serviceLines } from "../service_text.ts";

interface ServicesSetFlags extends CommonFlags, LimitFlags {
  readonly windows: string[] | undefined;
  readonly after: string[] | undefined;
  readonly notWhile: string[] | undefined;
  readonly exclusive: "yes" | "no" | undefined;
  readonly notify: string[] | undefined;
  readonly new: boolean | undefined;
}

const defaults = serviceSettingsSchema.parse({});

function asItWas(first: string | number): string {
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
      "deployd ctl services set web --max 10% --stages canary,10%/5m,100% --on-halt rollback",
      'deployd ctl services set web --windows "mon-fri 09:00-17:00 Europe/Berlin; sat 10:00-12:00 UTC"',
      "deployd ctl services set web --after db,cache --not-while search --exclusive yes",
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
      maxPerZone: {
        ...sharedFlags.maxPerZone,
        brief: `The same as --max for the hosts of each zone ${asItWas("none")}`,
      },
      firstZoneSoakS: {
        ...sharedFlags.firstZoneSoakS,
        brief: `Seconds that a host of the first zone must stay healthy ${asItWas("--soak-s")}`,
      },
      progressS: {
        ...sharedFlags.progressS,
        brief: `Seconds without any host moving after which a deploy halts ${asItWas(600)}`,
      },
      stages: {
        ...sharedFlags.stages,
        brief: `Stages of a deploy, as in canary,zone:a,10%/5m,50%/promote,100% ${asItWas("100%")}`,
      },
      onHalt: {
        ...sharedFlags.onHalt,
        brief: `What follows when a deploy halts: ask, rollback, or freeze ${asItWas("ask")}`,
      },
      windows: {
        kind: "parsed",
        parse: parseWindows,
        brief: `When deploys may start: days, hours and time zone, with a ; between windows, or none ${asItWas("at any time")}`,
        placeholder: "windows",
        optional: true,
      },
      after: {
        kind: "parsed",
        parse: serviceNames,
        brief: `Services whose deploys come first: it waits while one of them has any under way, or none ${asItWas("none")}`,
        placeholder: "services",
        optional: true,
      },
      notWhile: {
        kind: "parsed",
        parse: serviceNames,
        brief: `Services while whose hosts are restarted no host of this one is, or none ${asItWas("none")}`,
        placeholder: "services",
        optional: true,
      },
      exclusive: {
        kind: "enum",
        values: ["yes", "no"],
        brief: `Whether a host is never out of service for this service and another at once ${asItWas("no")}`,
        placeholder: "answer",
        optional: true,
      },
      notify: {
        kind: "parsed",
        parse: targetNames,
        brief: `Who is told what becomes of its deploys, by their names in agent.toml, or none ${asItWas("none")}`,
        placeholder: "targets",
        optional: true,
      },
      new: isGiven("The name is right, though it is very similar to that of another service"),
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: ctlVerb<ServicesSetFlags, [string]>(async (ctl, flags, service) => {
    const { stages, onHalt, windows, notify, new: isMeant } = flags;
    const between = rulesIn(flags);
    await makeChroot(ctl);
    await using zk = await ctl.connect();
    const made = await isNewService(zk, service, isMeant === true);
    const settings = await setService(zk, service, {
      ...limitsIn(flags),
      ...(stages === undefined ? {} : { stages }),
      ...(onHalt === undefined ? {} : { onHalt }),
      ...(windows === undefined ? {} : { windows }),
      ...(between === null ? {} : { between }),
      ...(notify === undefined ? {} : { notify }),
    });
    ctl.output.answer({ ...serviceDocument(service, settings), made }, [
      ...(made ? [`Made the service ${service}.`] : []),
      ...serviceLines(service, settings),
    ]);
    await warnOfMax(zk, service, settings.max, ctl.output);
    return exit.asked;
  }),
});

/** The rules between services that were given; null where none was. */
function rulesIn({ after, notWhile, exclusive }: ServicesSetFlags): BetweenServices | null {
  if (after === undefined && notWhile === undefined && exclusive === undefined) return null;
  return {
    ...(after === undefined ? {} : { after }),
    ...(notWhile === undefined ? {} : { notWhile }),
    ...(exclusive === undefined ? {} : { exclusive: exclusive === "yes" }),
  };
}

const parseService = matching(serviceName);

/** Names of services with commas between them, or `none`. */
function serviceNames(input: string): string[] {
  if (input.trim() === "none") return [];
  return [...new Set(input.split(",").map((name) => parseService(name.trim())))];
}

const parseTarget = matching(targetName);

/** Names of targets with commas between them, or `none`. */
function targetNames(input: string): string[] {
  if (input.trim() === "none") return [];
  const names = parse(notifySchema, [...new Set(input.split(",").map((name) => parseTarget(name.trim())))]);
  if (names.ok) return names.value;
  throw new Error(names.problems.join("; "));
}

/** Creates deployd's tree for the first service: a client inside a chroot cannot create that chroot. */
async function makeChroot({ address, process, signal }: Ctl): Promise<void> {
  if (address.chroot === "/") return;
  await using zk = await openZooKeeper(address, signal, process, "/");
  await ensurePath(zk, address.chroot);
}
