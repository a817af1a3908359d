import { DeployError } from "./errors.ts";
import type { Activation, ActivationPhase, Journal } from "../schema/journal.ts";

/** The error of an event that cannot follow from what the journal says. */
export function illegal(kind: string, because: string): DeployError {
  return new DeployError(`Cannot write "${kind}" into the journal: ${because}.`, {
    code: "internal",
    hint: "This is a defect of deployd: please report it, with the service's state.json.",
  });
}

/** The activation, which has to be in one of these phases. @throws DeployError where there is none, or it is in another */
export function activationIn<Kind extends ActivationPhase["kind"]>(
  { activation }: Journal,
  event: string,
  kinds: readonly Kind[],
): Activation & { readonly phase: Extract<ActivationPhase, { kind: Kind }> } {
  if (activation === null) throw illegal(event, "no activation is under way");
  if (!isIn(activation, kinds)) throw illegal(event, `the activation is "${activation.phase.kind}"`);
  return activation;
}

function isIn<Kind extends ActivationPhase["kind"]>(
  activation: Activation,
  kinds: readonly Kind[],
): activation is Activation & { readonly phase: Extract<ActivationPhase, { kind: Kind }> } {
  return kinds.some((kind) => kind === activation.phase.kind);
}
