import { z } from "zod";
import { zoneName } from "./names.ts";
import { percentProblem, thousandthsOf, WHOLE, type PercentText } from "./percent.ts";

/*
 * The stages of a deploy, in order: which hosts it comes to, and for what it waits before the next stage. What each of
 * them reaches is computed by core/stages.ts, which also has the form in which stages are typed.
 */

const ZONE = "zone:";

/** The canary hosts, the hosts of a zone, or so many percent of all hosts that are no canary hosts. */
export type StageHosts = "canary" | `zone:${string}` | PercentText;

/** The zone of `zone:a`; null for canary hosts and percentages. */
export function zoneOf(hosts: StageHosts): string | null {
  return hosts.startsWith(ZONE) ? hosts.slice(ZONE.length) : null;
}

/** The percentage in a stage; null for canary hosts and zones. */
export function percentOf(hosts: StageHosts): PercentText | null {
  return hosts === "canary" || zoneOf(hosts) !== null ? null : (hosts as PercentText);
}

/** Whether the stage reaches every host, so that none can come after it. */
export function isEveryHost(hosts: StageHosts): boolean {
  const percent = percentOf(hosts);
  return percent !== null && thousandthsOf(percent) === WHOLE;
}

/** Why the value names no hosts of a stage; null when it does. */
export function stageHostsProblem(value: unknown): string | null {
  if (value === undefined) return "it is missing";
  if (value === "canary") return null;
  if (typeof value === "string" && value.startsWith(ZONE)) {
    const zone = zoneName.safeParse(value.slice(ZONE.length));
    return zone.success ? null : (zone.error.issues[0]?.message ?? null);
  }
  if (typeof value === "string" && /^[\d.]+%$/.test(value)) return percentProblem(value);
  return "canary, a zone as in zone:a, or a percentage as in 10% is required";
}

function waitProblem(value: unknown): string | null {
  if (value === undefined) return "it is missing";
  if (value === "promote" || (Number.isSafeInteger(value) && Number(value) >= 0)) return null;
  return 'a whole number of milliseconds, or "promote", is required';
}

function checkedBy<T>(problemOf: (value: unknown) => string | null) {
  return z.custom<T>().superRefine((value, context) => {
    const problem = problemOf(value);
    // The order of stages is looked at only where each of them can be read.
    if (problem !== null) context.addIssue({ code: "custom", message: problem, continue: false });
  });
}

const stageSchema = z.looseObject({
  hosts: checkedBy<StageHosts>(stageHostsProblem),
  /** Until a person promotes the deploy, or milliseconds from when the stage's hosts serve the build. */
  wait: checkedBy<"promote" | number>(waitProblem),
});
export type Stage = z.output<typeof stageSchema>;

/** What is wrong with the order of stages, and with which of them; null when nothing is. */
export function stagesProblem(stages: readonly Stage[]): { readonly at: number; readonly problem: string } | null {
  const zones = new Set<string>();
  let highest: PercentText = "0%";
  for (const [at, { hosts, wait }] of stages.entries()) {
    const isLast = at === stages.length - 1;
    if (isEveryHost(hosts) && !isLast) return { at, problem: `nothing can come after ${hosts}, which is every host` };
    if (hosts === "canary" && at > 0) return { at, problem: "canary hosts can only come first" };
    const zone = zoneOf(hosts);
    if (zone !== null && zones.has(zone)) return { at, problem: `the zone ${zone} comes twice` };
    if (zone !== null) zones.add(zone);
    const percent = percentOf(hosts);
    if (percent !== null && thousandthsOf(percent) <= thousandthsOf(highest)) {
      const before = highest === "0%" ? "is no host at all" : `is not more than the ${highest} before it`;
      return { at, problem: `${percent} ${before}` };
    }
    highest = percent ?? highest;
    if (isLast && !isEveryHost(hosts)) return { at, problem: `the last stage is 100%, not ${hosts}` };
    if (isLast && wait !== 0) return { at, problem: "the last stage has no wait, since nothing comes after it" };
  }
  return null;
}

/** The stages of a deploy, which end with all hosts. */
export const stagesSchema = z
  .array(stageSchema)
  .min(1)
  .max(64)
  .superRefine((stages, context) => {
    const wrong = stagesProblem(stages);
    if (wrong !== null) context.addIssue({ code: "custom", message: wrong.problem, path: [wrong.at] });
  });

/**
 * What the stages of a deploy have reached so far. A host that is no canary host takes the deploy's build if it lies in
 * one of the zones or its share of the deploy (core/host_share.ts) lies below the threshold.
 */
export const reachSchema = z.looseObject({
  zones: z.array(zoneName).readonly(),
  below: z.number().min(0).max(1),
});
export type Reach = Readonly<z.output<typeof reachSchema>>;
