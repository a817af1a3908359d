import { makeBuild, type SimBuild } from "../../sim/host/builds.ts";

/** What a restart takes by the clock: from the stop of the old build until the new one is found healthy, about two seconds. */
export const RESTART_MS = 2_000;
/** Of it, what the program takes to listen; the rest are its end, its commands and its check. */
const START_MS = 1_700;
const check = { intervalS: 0.6, successes: 1, deadlineS: 10 };

const good = (id: string): SimBuild =>
  makeBuild({ id, character: { kind: "slow", startMs: START_MS }, check, files: 0 });

/** What the fleets of this bench deploy, one after the other; the third is never healthy. */
export const BUILDS = {
  first: good("v1"),
  second: good("v2"),
  bad: makeBuild({ id: "v3", character: { kind: "ill" }, check: { ...check, deadlineS: 2 }, files: 0 }),
} as const;
