import { buildCommand } from "@stricli/core";
import { holdHost, releaseHost, untilHeld } from "../../store/hold_host.ts";
import { takeBack } from "../../store/leave.ts";
import { readStatusOf } from "../../store/registry.ts";
import { readService } from "../../store/services.ts";
import { oneLine } from "../../view/words.ts";
import { insist, LastingConnection } from "../../watch/lasting_connection.ts";
import { askOfHost, waitMs } from "../ask_of_host.ts";
import { hostArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";

/** How long a host may take to be given back, in milliseconds. */
const GIVEN_BACK_MS = 10_000;

interface HoldFlags extends CommonFlags {
  readonly why: string | undefined;
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
}

export const hostsHold = buildCommand({
  docs: {
    brief: "Take a host out of service's way, for a reboot or work on it",
    fullDescription: ctlDescription(
      `Holds a host: it counts as one of those that may be out of service at once, and no deploy
comes to it until it is released. It is held when its turn comes, and this waits for that; what
runs on it is left alone.`,
      'deployd ctl hosts hold web web-07 --why "kernel update"',
      "deployd ctl hosts release web web-07",
    ),
  },
  parameters: {
    flags: { why: sharedFlags.why, detach: sharedFlags.detach, timeoutS: sharedFlags.timeoutS, ...commonFlags },
    positional: { kind: "tuple", parameters: [serviceArgument, hostArgument] },
  },
  func: ctlVerb<HoldFlags, [string, string]>(async (ctl, flags, service, host) => {
    const { output, process, signal } = ctl;
    await using connection = new LastingConnection(ctl.connect, signal, process.clock);
    const asked = { service, host, why: flags.why ?? "" };
    const { record, came: held } = await askOfHost(ctl, connection, asked, waitMs(flags), {
      ask: holdHost,
      until: (zk, by, ...limits) => untilHeld(zk, by, true, ...limits),
    });
    const { hold } = record;
    const document = { schema: "deployd.ctl.host-held/1", service, host, held, who: hold?.who, why: hold?.why };
    output.answer(document, [
      held
        ? `${host} is held in ${service}, by ${oneLine(hold?.who ?? "")}. Give it back with: deployd ctl hosts release ${service} ${host}`
        : `${host} is held in ${service} when its turn comes: as many hosts are out as may be, or no agent conducts.`,
    ]);
    return held || flags.detach === true ? exit.asked : exit.timedOut;
  }),
});

export const hostsRelease = buildCommand({
  docs: {
    brief: "Give back a host that was held",
    fullDescription: ctlDescription(
      `Gives back a host that was held: deploys come to it again, and it takes no capacity any more. On
one that has left, the service is started again, also where it was forgotten since.`,
      "deployd ctl hosts release web web-07",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument, hostArgument] } },
  func: ctlVerb<CommonFlags, [string, string]>(async (ctl, _flags, service, host) => {
    const { output, process, signal } = ctl;
    await using connection = new LastingConnection(ctl.connect, signal, process.clock);
    const zk = await connection.client();
    await readService(zk, service, () => {});
    const leaving = (await readStatusOf(zk, service, host))?.leaving?.phase ?? "refused";
    const isTakenBack = await takeBack(zk, service, host);
    const was = isTakenBack || (await releaseHost(zk, service, host));
    const comesBack = isTakenBack || (was && leaving !== "refused");
    const by = { service, host, clock: process.clock };
    const isGivenBack = (): Promise<boolean> =>
      insist(connection, signal, GIVEN_BACK_MS, (zk, leftMs) => untilHeld(zk, by, false, leftMs, signal));
    const done = comesBack || !was || (await isGivenBack());
    output.answer({ schema: "deployd.ctl.host-released/1", service, host, released: was, given_back: done }, [
      !was
        ? `${host} is not held in ${service}.`
        : comesBack
          ? `${host} comes back to ${service}: its service is started again, and counts as out until it serves.`
          : done
            ? `${host} is released in ${service}.`
            : `${host} is released in ${service} as soon as an agent conducts; none does now.`,
    ]);
    return exit.asked;
  }),
});
