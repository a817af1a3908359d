import type { DeployRecord } from "../schema/deploy_record.ts";
import { isRunning } from "./deploy_state.ts";

/** What a person can say to a deploy that does not go where it should, and what that comes to. */
export interface WayOut {
  /** What to type in a shell, as it stands. */
  readonly line: string;
  readonly to:
    | { readonly kind: "build"; readonly build: string }
    /** Its hosts keep what they have, and another build can be deployed. */
    | { readonly kind: "end" }
    /** It has ended, with no build to go back to. */
    | { readonly kind: "another" };
}

/** The way back of a deploy, where there is one, and else the way to another build. @param barred builds that may go nowhere */
export function wayBackFrom(service: string, record: DeployRecord, barred: ReadonlySet<string>): WayOut {
  const { build, previous } = record;
  const canGoBack = previous !== null && previous !== build && !barred.has(previous);
  if (canGoBack) return { line: `deployd ctl rollback ${service} ${build}`, to: { kind: "build", build: previous } };
  if (!isRunning(record)) return { line: `deployd ctl deploy ${service} BUILD`, to: { kind: "another" } };
  // A first build that is taken back is barred with it.
  const verb = previous === null ? "rollback" : "abort";
  return { line: `deployd ctl ${verb} ${service} ${build}`, to: { kind: "end" } };
}

/** How a deploy that is proven on the canary hosts gets to the fleet; null where its build may go nowhere. */
export function promotionOf(service: string, { build }: DeployRecord, barred: ReadonlySet<string>): string | null {
  return barred.has(build) ? null : `deployd ctl promote ${service} ${build}`;
}
