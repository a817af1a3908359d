import type { JournalEvent } from "../../src/core/journal.ts";
import { noCounts, restartOf } from "../../src/core/restart_progress.ts";
import {
  emptyJournal,
  type Activation,
  type Journal,
  type RestartProgress,
  type StepFailure,
} from "../../src/schema/journal.ts";

export const failure: StepFailure = {
  code: "check-failed",
  message: "it answers 500",
  hint: "look",
  step: "check",
  log: "the end",
  atMs: 1,
};
export const second: StepFailure = { ...failure, message: "it answers 502" };
const failed = { deploy: "d2", build: "v2", failure, attempt: 4, healthy: true };

/** A host that serves v1 has taken up v2 under deploy d2. */
const taken: Journal = {
  ...emptyJournal,
  attempt: { number: 4, deploy: "d2", build: "v2" },
  restarted: { build: "v1", processes: [{ pid: 7, startTicks: 70 }] },
  proven: ["v1", "v0"],
  followed: { enabled: 2, canary: 1 },
};

const running: RestartProgress = { begun: 1, batch: ["1"], left: ["1", "2"] };
export const forward: Activation = {
  build: "v2",
  deploy: "d2",
  previous: "v1",
  attempt: 4,
  soakMs: 100,
  bootId: "boot 1",
  phase: { kind: "forward", restart: restartOf(["1", "2"]) },
  counts: noCounts,
};
const counts = { instances: 2, closed: 1, refused: null, forced: [], phaseMs: { stop: 20 } } as const;

/** The restart of its first instance has begun. */
export const inBatch: Activation = { ...forward, phase: { kind: "forward", restart: running }, counts };

function activated(phase: Activation["phase"], rest: Partial<Journal> = {}): Journal {
  return { ...taken, activation: { ...forward, phase, counts }, ...rest };
}
const checked = { build: "v2", processes: [{ pid: 8, startTicks: 80 }] };

const asked = { who: "ana", why: "scale in", bootId: "boot 1" };

/** Every place that a journal can be in. */
export const places = {
  empty: emptyJournal,
  "taken up": taken,
  booted: { ...taken, boot: { id: "boot 1", begun: 0, over: true } },
  reviving: { ...taken, boot: { id: "boot 2", begun: 1, over: false } },
  leaving: { ...taken, leaving: { phase: "stopping", ...asked } },
  left: { ...taken, leaving: { phase: "stopped", ...asked } },
  returning: { ...taken, leaving: { phase: "starting", ...asked } },
  installing: { ...taken, installs: { deploy: "d2", build: "v2", begun: 1 } },
  forward: { ...taken, activation: forward },
  "batch begun": { ...taken, activation: inBatch },
  rolled: activated({ kind: "forward", restart: restartOf([]) }),
  checked: activated({ kind: "forward", restart: restartOf([]) }, { restarted: checked }),
  proven: activated({ kind: "proven" }, { restarted: checked }),
  back: activated({ kind: "back", failure, restart: restartOf(["1"]) }),
  "batch begun back": activated({ kind: "back", failure, restart: { begun: 1, batch: ["1"], left: ["1"] } }),
  "rolled back": activated({ kind: "back", failure, restart: restartOf([]) }),
  stuck: activated({ kind: "stuck", failure, second }),
  failed: { ...taken, failed },
} satisfies Record<string, Journal>;
export type Place = keyof typeof places;

/** One of each kind, as it would come at the places where it may. */
export const samples = {
  followed: { kind: "followed", node: "enabled", number: 3 },
  "taken-up": { kind: "taken-up", number: 5, deploy: "d3", build: "v3", again: 1 },
  "install-begun": { kind: "install-begun", deploy: "d2", build: "v2" },
  condemned: { kind: "condemned", failure, healthy: true },
  begun: { kind: "begun", activation: forward },
  abandoned: { kind: "abandoned" },
  "nothing-to-restart": { kind: "nothing-to-restart" },
  "batch-begun": { kind: "batch-begun", batch: ["1"], instances: ["1", "2"] },
  "seen-served": { kind: "seen-served" },
  "batch-ended": { kind: "batch-ended", how: "restarted", cost: { ...noCounts, instances: 1, closed: 2 } },
  rebooted: { kind: "rebooted", bootId: "boot 2", down: [] },
  checked: { kind: "checked", config: "c", build: "v2", processes: [{ pid: 9, startTicks: 90 }] },
  proven: { kind: "proven" },
  finished: { kind: "finished", atMs: 1_000 },
  settled: { kind: "settled" },
  "turned-back": { kind: "turned-back", failure: second, instances: [] },
  "given-up": { kind: "given-up", healthy: false },
  "revival-begun": { kind: "revival-begun", bootId: "boot 2" },
  revived: { kind: "revived", config: "c", build: "v1", processes: [{ pid: 9, startTicks: 90 }] },
  "boot-over": { kind: "boot-over", bootId: "boot 1" },
  "leave-begun": { kind: "leave-begun", who: "ana", why: "scale in", bootId: "boot 1" },
  left: { kind: "left" },
  "return-begun": { kind: "return-begun" },
  returned: { kind: "returned", restarted: null },
  outlived: { kind: "outlived", attempt: 9, followed: 7, lost: { deploy: "d2", build: "v2", attempt: 9, atMs: 1 } },
  traffic: { kind: "traffic", by: "nft", off: ["1"], bootId: "boot 1" },
} satisfies { [Kind in JournalEvent["kind"]]: Extract<JournalEvent, { kind: Kind }> };
