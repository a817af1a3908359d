import type { Situation } from "./situation.ts";
import type { Step } from "./step.ts";

/** The next step of a host that leaves, or comes back; null where it goes on as any other. */
export function whileLeaving(situation: Situation): LeavingStep | null {
  const { journal, leave, mayLeave, actual, bootId } = situation;
  const { leaving } = journal;
  if (leaving === undefined) return mayLeave && leave.kind === "asked" ? { step: "begin-leave" } : null;
  switch (leaving.phase) {
    case "stopping":
      return leave.kind === "stays" ? { step: "return" } : { step: "stop" };
    case "stopped": {
      if (leave.kind === "stays") return { step: "return" };
      // Something else starts it with the machine; who starts it afterwards means it.
      const isUp = actual.instances.some(({ served }) => served.kind !== "down");
      return isUp && leaving.bootId !== bootId ? { step: "begin-leave" } : { step: "idle", reason: "left" };
    }
    case "starting":
      return mayLeave && leave.kind === "asked" ? { step: "begin-leave" } : startAgain(situation);
  }
}

type LeavingStep = Extract<Step, { step: "begin-leave" | "stop" | "return" | "start-again" | "idle" }>;

/** What it served is started, whatever is wished by now: that comes in a slot, as on any other host. */
function startAgain({ actual, isUnwanted }: Situation): LeavingStep {
  const build = actual.current.kind === "link" && !isUnwanted ? actual.current.build : null;
  const down = actual.instances.filter(({ served }) => served.kind !== "build").map(({ name }) => name);
  return { step: "start-again", build, instances: build === null ? [] : down };
}
