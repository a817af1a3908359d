import { isRunning, waitsForPerson } from "../core/deploy_state.ts";
import { wayBackFrom } from "../core/ways_out.ts";
import type { DeployView } from "../view/deploy.ts";
import { span } from "../view/spans.ts";
import { telling, type MonitorAct, type Model } from "./model.ts";

/** Asks before it acts, by the names of the service and of the build. */
export function asked(model: Model, act: MonitorAct): Model {
  const view = model.watched?.view ?? null;
  if (view === null) return told(model, `There is no deploy to ${act === "rollback" ? "roll back" : act}.`);
  const refusal = refusedFor(view, act);
  if (refusal !== null) return told(model, refusal);
  const { service, id, record } = view;
  return {
    ...model,
    prompt: { kind: "confirm", act, service, build: record.build, deploy: id, question: questionFor(view, act) },
  };
}

function told(model: Model, text: string): Model {
  return telling(model, [span(text, "warn")]);
}

/** Why it makes no sense now; null where it does, or where only the tree can tell. */
function refusedFor({ record }: DeployView, act: MonitorAct): string | null {
  const is = `The deploy of ${record.build} is ${record.state}`;
  switch (act) {
    case "pause":
      return isRunning(record) && record.state !== "paused" ? null : `${is}: there is nothing to pause.`;
    case "resume":
      return record.state === "paused" || record.state === "halted" ? null : `${is}: there is nothing to resume.`;
    case "promote":
      return record.state === "awaiting promotion" ? null : `${is}: there is nothing to promote.`;
    case "abort":
      return isRunning(record) ? null : `${is}: there is nothing to abort.`;
    case "rollback":
    case "retry":
      return null;
  }
}

function questionFor({ service, record, barred, live }: DeployView, act: MonitorAct): string {
  const { build } = record;
  switch (act) {
    case "pause":
      return `Pause the deploy of ${build} to ${service}? Hosts that have begun come through, no other begins.`;
    case "resume":
      return `Let the deploy of ${build} to ${service} go on?`;
    case "promote":
      return waitsForPerson(record)
        ? `Promote ${build} of ${service} to its next stage?`
        : `Promote ${build} of ${service} now, before its wait is over?`;
    case "abort":
      return `Abort the deploy of ${build} to ${service}? Hosts keep what they have.`;
    case "retry":
      return `Have the ${live?.progress.failed.length ?? 0} failed hosts of ${service} try ${build} once more?`;
    case "rollback": {
      const { to } = wayBackFrom(service, record, barred);
      const back = to.kind === "build" ? `to ${to.build}` : "and end it, since there is no build to go back to";
      return `Take ${service} back from ${build} ${back}? ${build} is barred.`;
    }
  }
}
