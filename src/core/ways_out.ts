import type { DeployRecord } from "../schema/deploy_record.ts";
import { buildWanted, isRunning } from "./deploy_state.ts";

/** A line that a person can type when a deploy does not go as it should, and what comes of it. */
export interface WayOut {
  /** The line to type in a shell, verbatim. */
  readonly line: string;
  readonly to:
    | { readonly kind: "build"; readonly build: string }
    /** Its hosts keep what they have, and another build can be deployed. */
    | { readonly kind: "end" }
    /** The deploy has ended, with no build to go back to. */
    | { readonly kind: "another" };
}

/**
 * The way back of a deploy, where there is one, otherwise the way to another build.
 *
 * @param barred builds that no host may be brought to
 */
export function wayBackFrom(service: string, record: DeployRecord, barred: ReadonlySet<string>): WayOut {
  const { build, previous } = record;
  const canGoBack = previous !== null && previous !== build && !barred.has(previous);
  if (canGoBack) return { line: `deployd ctl rollback ${service} ${build}`, to: { kind: "build", build: previous } };
  if (!isRunning(record)) return { line: `deployd ctl deploy ${service} BUILD`, to: { kind: "another" } };
  // A first build that is rolled back is barred too.
  const verb = previous === null ? "rollback" : "abort";
  return { line: `deployd ctl ${verb} ${service} ${build}`, to: { kind: "end" } };
}

/** How a deploy that is proven on the canary hosts gets to the fleet; null where its build is barred. */
export function promotionOf(service: string, { build }: DeployRecord, barred: ReadonlySet<string>): string | null {
  return barred.has(build) ? null : `deployd ctl promote ${service} ${build}`;
}

/** How a deploy that stands still goes on; null where the build that it brings is barred. */
export function goOnFrom(service: string, record: DeployRecord, barred: ReadonlySet<string>): string | null {
  return barred.has(buildWanted(record)) ? null : `deployd ctl resume ${service} ${record.build}`;
}
