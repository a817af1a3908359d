import { lastAttempt } from "../core/journal_former.ts";
import type { Step } from "../core/step.ts";
import type { FormerLife } from "./former_life.ts";
import { isIll } from "./health.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface NotingEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly former: Pick<FormerLife, "ask">;
}

/** The steps that change nothing but the journal. */
export async function note(
  { state, host, former }: NotingEffects,
  step: Extract<Step, { step: "take-up" | "note-served" | "note-boot" | "abandon" }>,
  signal: AbortSignal,
): Promise<void> {
  const { journal, snapshot } = state;
  switch (step.step) {
    case "take-up": {
      await former.ask();
      const { deploy, build } = step;
      const number = lastAttempt(journal.now) + 1;
      return journal.record({ kind: "taken-up", number, deploy, build, again: snapshot.again });
    }
    case "note-served":
      state.illAt = (await isIll(host, state, signal)) ? step.attempt : null;
      return state.illAt === null ? journal.record({ kind: "seen-served" }) : undefined;
    case "note-boot":
      return journal.record({ kind: "rebooted", bootId: host.machine.bootId, down: step.down });
    case "abandon":
      return journal.record({ kind: "abandoned" });
  }
}
