import { buildCommand } from "@stricli/core";
import { exit, type ExitCode } from "../../cli/exit.ts";
import { isGiven } from "../../cli/flags.ts";
import { forgetLeft, leaveHost, untilLeft } from "../../store/leave.ts";
import { oneLine } from "../../view/words.ts";
import { insist, LastingConnection } from "../../watch/lasting_connection.ts";
import { askOfHost, waitMs } from "../ask_of_host.ts";
import { hostArgument, serviceArgument } from "../arguments.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";

interface LeaveFlags extends CommonFlags {
  readonly why: string | undefined;
  readonly keep: boolean | undefined;
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
}

type Leaving = Awaited<ReturnType<typeof untilLeft>>;

export const hostsLeave = buildCommand({
  docs: {
    brief: "Stop the service on a host that leaves the fleet, without dropping a request",
    fullDescription: ctlDescription(
      `Has a host leave the fleet, before it is switched off, replaced or scaled in. When its turn comes,
as for a hold, its agent takes the traffic off, waits until nobody is connected, and stops the
service; it stays stopped over a reboot. Then the host is forgotten, unless --keep is given. Until
it is forgotten, hosts release starts the service again, through its check; afterwards it does so
as long as the host's agent is connected.`,
      'deployd ctl hosts leave web web-07 --why "scale in"',
      "deployd ctl hosts leave web web-07 --keep",
    ),
  },
  parameters: {
    flags: {
      why: sharedFlags.why,
      keep: isGiven("Do not forget the host: it stays held, and counts as out of service"),
      detach: isGiven("Return at once; forget it later with: deployd ctl hosts forget"),
      timeoutS: sharedFlags.timeoutS,
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument, hostArgument] },
  },
  func: ctlVerb<LeaveFlags, [string, string]>(async (ctl, flags, service, host) => {
    const { output, process, signal, address } = ctl;
    const { keep, detach } = flags;
    await using connection = new LastingConnection(ctl.connect, signal, process.clock);
    const asked = { service, host, why: flags.why ?? "" };
    const { record, came: leaving } = await askOfHost(ctl, connection, asked, waitMs(flags), {
      ask: leaveHost,
      until: untilLeft,
    });
    const { hold } = record;
    const left = leaving?.phase === "stopped";
    const mayForget = left && keep !== true && detach !== true;
    const forget = (): Promise<boolean> =>
      insist(connection, signal, address.connectTimeoutMs, (zk) => forgetLeft(zk, service, host));
    const forgotten = mayForget && (await forget());
    output.answer(
      {
        schema: "deployd.ctl.host-left/1",
        service,
        host,
        left,
        forgotten,
        phase: leaving?.phase ?? null,
        problem: leaving?.problem ?? "",
        who: hold?.who,
        why: hold?.why,
      },
      [leaveText(service, host, leaving, forgotten)],
    );
    return exitOf(leaving, detach === true);
  }),
});

function exitOf(leaving: Leaving, isDetached: boolean): ExitCode {
  if (leaving?.phase === "refused") return exit.failed;
  return leaving?.phase === "stopped" || isDetached ? exit.asked : exit.timedOut;
}

function leaveText(service: string, host: string, leaving: Leaving, isForgotten: boolean): string {
  const back = `deployd ctl hosts release ${service} ${host}`;
  const problem = leaving === null || leaving.problem === "" ? "" : ` ${oneLine(leaving.problem)}`;
  switch (leaving?.phase) {
    case "stopped":
      return isForgotten
        ? `${host} has left ${service}: its service is stopped, and the host is forgotten.`
        : `${host} has left ${service}: its service is stopped. To have it back: ${back}; else: deployd ctl hosts forget ${service} ${host}`;
    case "refused":
      return `${host} cannot leave ${service}, and stays asked for.${problem} To take that back: ${back}`;
    case "stopping":
    case "starting":
      return `${host} leaves ${service}, and has not stopped yet.${problem} To have it stay: ${back}`;
    case undefined:
      return `${host} leaves ${service} when its turn comes: as many hosts are out as may be, or no agent conducts. To have it stay: ${back}`;
  }
}
