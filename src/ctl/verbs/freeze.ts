import { buildCommand } from "@stricli/core";
import { freezeService, unfreezeService } from "../../store/freeze.ts";
import { parseDuration } from "../../core/duration.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";

interface FreezeFlags extends CommonFlags {
  readonly why: string | undefined;
  readonly for: number | undefined;
}

export const freezeVerb = buildCommand({
  docs: {
    brief: "Refuse deploys to a service until it is unfrozen",
    fullDescription: ctlDescription(
      `Freezes a service: nothing is deployed to it, promoted or tried again, but with --override and
a reason. What is under way goes on; pause, abort and rollback stay possible.`,
      'deployd ctl freeze web --why "Black Friday"',
      'deployd ctl freeze web --for 12h --why "the database moves"',
    ),
  },
  parameters: {
    flags: {
      why: sharedFlags.why,
      for: {
        kind: "parsed",
        parse: parseFor,
        brief: "Unfreezes by itself after this time, as in 90m or 12h (default: until somebody does)",
        placeholder: "time",
        optional: true,
      },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: ctlVerb<FreezeFlags, [string]>(async ({ connect, output, process }, { why = "", for: forMs }, service) => {
    await using zk = await connect();
    const now = process.now();
    const until = forMs === undefined ? undefined : new Date(now.getTime() + forMs).toISOString();
    const freeze = await freezeService(zk, service, { who: process.user, why, time: now.toISOString(), until });
    output.answer({ schema: "deployd.ctl.frozen/1", service, freeze }, [
      `${service} is frozen${freeze.until === undefined ? "" : ` until ${freeze.until}`}. Allow deploys again with: deployd ctl unfreeze ${service}`,
    ]);
    return exit.asked;
  }),
});

export const unfreezeVerb = buildCommand({
  docs: {
    brief: "Allow deploys to a frozen service again",
    fullDescription: ctlDescription(
      `Allows deploys to a service that was frozen, or that a halted deploy has frozen since the service
is set to --on-halt freeze.`,
      "deployd ctl unfreeze web",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument] } },
  func: ctlVerb<CommonFlags, [string]>(async ({ connect, output }, _flags, service) => {
    await using zk = await connect();
    const was = await unfreezeService(zk, service);
    output.answer({ schema: "deployd.ctl.unfrozen/1", service, was_frozen: was }, [
      was ? `${service} is not frozen any more.` : `${service} was not frozen.`,
    ]);
    return exit.asked;
  }),
});

function parseFor(input: string): number {
  const ms = parseDuration(input);
  if (ms !== null && ms > 0) return ms;
  throw new Error("a time as in 90m or 12h is required");
}
