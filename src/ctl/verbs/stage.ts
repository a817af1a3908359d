import { buildCommand } from "@stricli/core";
import { readStaging, stageBuild, type Staging } from "../../store/stage_build.ts";
import { readService } from "../../store/services.ts";
import { count, oneLine, someOf } from "../../view/words.ts";
import { buildArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "../flags.ts";

const LOOK_AGAIN_MS = 500;

interface StageFlags extends CommonFlags {
  readonly why: string | undefined;
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
}

export const stageVerb = buildCommand({
  docs: {
    brief: "Have every host prepare a build now, to be deployed later",
    fullDescription: ctlDescription(
      `Has every host fetch, verify, unpack and install a build without serving it, and waits until all
connected hosts have it ready. A deploy of it then has nothing left to fetch and goes at once. What
a host cannot prepare it tries again; its reason is told.`,
      "deployd ctl stage web 9b1e0d4",
      "deployd ctl stage web 9b1e0d4 --detach",
    ),
  },
  parameters: {
    flags: { why: sharedFlags.why, detach: sharedFlags.detach, timeoutS: sharedFlags.timeoutS, ...commonFlags },
    positional: { kind: "tuple", parameters: [serviceArgument, buildArgument] },
  },
  func: ctlVerb<StageFlags, [string, string]>(async (ctl, { why = "", detach, timeoutS }, service, build) => {
    const { connect, output, process, signal } = ctl;
    await using zk = await connect();
    await readService(zk, service);
    await stageBuild(zk, service, build, { who: process.user, why, now: process.now() });
    const endsAtMs = process.clock.monotonicMs() + (timeoutS ?? Number.POSITIVE_INFINITY) * 1000;
    const told = new Set<string>();
    for (;;) {
      const staging = await readStaging(zk, service, build);
      for (const [host, problem] of staging.problems) {
        if (!told.has(`${host} ${problem}`) && !output.json) output.note(`! ${oneLine(host)}: ${oneLine(problem)}`);
        told.add(`${host} ${problem}`);
      }
      const isOver = detach === true || staging.waiting.length === 0;
      if (isOver || process.clock.monotonicMs() >= endsAtMs) {
        output.answer(document(service, build, staging), [text(service, build, staging, detach === true)]);
        return isOver ? exit.asked : exit.timedOut;
      }
      await process.clock.sleep(LOOK_AGAIN_MS, signal);
    }
  }),
});

function document(service: string, build: string, { ready, waiting, problems, away }: Staging) {
  const failed = [...problems].map(([host, message]) => ({ host, message }));
  return { schema: "deployd.ctl.staged/1", service, build, ready, waiting, failed, away };
}

function text(service: string, build: string, { ready, waiting, away }: Staging, isDetached: boolean): string {
  const parts = [`${count(ready.length, "host")} of ${service} ${ready.length === 1 ? "has" : "have"} ${build} ready`];
  if (waiting.length > 0) parts.push(`${someOf(waiting.map(oneLine), 4)} ${isDetached ? "prepare it" : "not yet"}`);
  if (away.length > 0) parts.push(`${someOf(away.map(oneLine), 4)} when connected`);
  return `${parts.join(", ")}.`;
}
