import { buildCommand } from "@stricli/core";
import { planDeploy } from "../../store/plan_deploy.ts";
import { wouldChange } from "../../view/plan.ts";
import { exit, exitForError } from "../../cli/exit.ts";
import { description } from "../../cli/help.ts";
import { buildArgument, serviceArgument } from "../arguments.ts";
import { deployFlags, deployRequest, type DeployFlags } from "../deploy_request.ts";
import { planDocument, planLines } from "../plan_text.ts";
import { ctlExits, ctlVerb } from "../verb.ts";

/** Columns of the text where it goes to no terminal. */
const WIDEST = 100;

export const planVerb = buildCommand({
  docs: {
    brief: "Tell what a deploy would do, and what refuses it; do nothing",
    fullDescription: description({
      what: `Tells what deployd ctl deploy with the same flags would do as things stand, and does nothing: the
hosts in their order, stages and waves, how long it would take by the last deploy that was done,
everything that refuses it, hosts that it does not come to at once, what a rollback would go back
to, and the builds between. Hosts go as they are ready, so that inside a wave the order may be
another. --why, --detach and --timeout-s change nothing here.`,
      examples: [
        "deployd ctl plan web 9b1e0d4",
        "deployd ctl plan web 9b1e0d4 --stages canary,10%/5m,100% --max 10%",
        "deployd ctl plan web 9b1e0d4 --json",
      ],
      exits: {
        ...ctlExits,
        [exit.asked]: "no host would change",
        [exit.failed]: "hosts would change; or failed, with an error",
        [exit.usage]: "wrong usage; an unknown service, build or zone, or no canary host",
        [exit.refused]: "it would be refused: frozen, barred, or another deploy is running",
      },
    }),
  },
  parameters: { flags: deployFlags, positional: { kind: "tuple", parameters: [serviceArgument, buildArgument] } },
  func: ctlVerb<DeployFlags, [string, string]>(async (ctl, flags, service, build) => {
    const { connect, output, process } = ctl;
    await using zk = await connect();
    const plan = await planDeploy(zk, deployRequest(ctl, flags, service, build));
    const columns = process.stdoutIsTerminal ? process.columns() : WIDEST;
    output.answer(planDocument(plan), planLines(plan, output.paint, columns));
    const [refusal] = plan.refusals;
    if (plan.existing !== null) return exit.asked;
    if (refusal !== undefined) return exitForError(refusal.code);
    return wouldChange(plan.rollout) ? exit.failed : exit.asked;
  }),
});
