import { buildCommand } from "@stricli/core";
import { wayBackFrom } from "../../core/ways_out.ts";
import { barBuild, barredOf, unbarBuild, type BarredBuild } from "../../store/bar.ts";
import { readService } from "../../store/services.ts";
import { buildArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";

interface BarFlags extends CommonFlags {
  readonly why: string | undefined;
}

export const buildsBar = buildCommand({
  docs: {
    brief: "Forbid a build",
    fullDescription: ctlDescription(
      `Forbids a build: it cannot be deployed or promoted until it is allowed again, and a deploy
that is bringing it to hosts is halted. Hosts that serve it are left alone; a rollback takes
it from them.`,
      'deployd ctl builds bar web 9b1e0d4 --why "leaks connections"',
    ),
  },
  parameters: {
    flags: { why: sharedFlags.why, ...commonFlags },
    positional: { kind: "tuple", parameters: [serviceArgument, buildArgument] },
  },
  func: ctlVerb<BarFlags, [string, string]>(async ({ connect, output, process }, flags, service, build) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    const barred = { who: process.user, why: flags.why ?? "", time: process.now().toISOString() };
    const found = await barBuild(zk, service, build, barred);
    const document = { schema: "deployd.ctl.build/1", service, build, barred, halted: found.halted };
    const barredToo = found.serving === null ? new Set<string>() : await barredOf(zk, service, found.serving);
    output.answer(document, [`${build} of ${service} is barred.`, ...whatIsLeft(service, found, barredToo)]);
    return exit.asked;
  }),
});

/** What the bar has done, and what is left to do. */
function whatIsLeft(service: string, { halted, serving }: BarredBuild, barred: ReadonlySet<string>): string[] {
  const lines = halted === null ? [] : [`Deploy ${halted}, which was bringing it to hosts, is halted.`];
  if (serving === null) return lines;
  const { line, to } = wayBackFrom(service, serving, barred);
  const back = to.kind === "build" ? `back to ${to.build}` : "another build";
  return [...lines, `Hosts that serve it keep it; ${back}: ${line}`];
}

export const buildsUnbar = buildCommand({
  docs: {
    brief: "Allow a barred build again",
    fullDescription: ctlDescription(
      "Allows a build again that was barred by hand or by a rollback.",
      "deployd ctl builds unbar web 9b1e0d4",
    ),
  },
  parameters: {
    flags: commonFlags,
    positional: { kind: "tuple", parameters: [serviceArgument, buildArgument] },
  },
  func: ctlVerb<CommonFlags, [string, string]>(async ({ connect, output }, _flags, service, build) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    await unbarBuild(zk, service, build);
    const document = { schema: "deployd.ctl.build/1", service, build, barred: null };
    output.answer(document, [`${build} of ${service} may be deployed again.`]);
    return exit.asked;
  }),
});
