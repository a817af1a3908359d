import { journalAfter, type JournalEvent } from "../../src/core/journal.ts";
import { decide, type Permission, type Proof, type Step } from "../../src/core/plan.ts";
import { MAX_RESTARTS, noCounts } from "../../src/core/roll.ts";
import { servedByAll } from "../../src/core/served.ts";
import {
  emptyJournal,
  type Activation,
  type InstanceServed,
  type Journal,
  type LinkState,
  type StepFailure,
  type Target,
} from "../../src/core/types.ts";

/** How a build behaves on this host; `previous` builds that were proven once go on being good. */
export type Nature = "good" | "install-fails" | "restart-fails" | "restart-kills-agent" | "check-fails";

class Crash extends Error {}
class StepFailed extends Error {}

interface Word {
  readonly step: "ready" | "serving" | "failed" | "other";
  readonly attempt: number;
  readonly deploy: string | null;
}

/**
 * One host as `decide` sees it: a disk, processes, a journal that survives a crash and a memory that does not, and its
 * part of the gate. What each step does is a list of effects in the order in which the agent has them, so a crash can fall
 * between any two. It checks the invariants at each effect and throws when one is broken.
 */
export class HostModel {
  journal: Journal = emptyJournal;
  proof: Proof | null = null;
  current: LinkState = { kind: "absent" };
  /** The build that the processes of each instance run. */
  readonly instances = new Map<string, string | null>([
    ["1", null],
    ["2", null],
  ]);
  readonly releases = new Map<string, "extracted" | "installed">();
  readonly spools = new Map<string, "fetched" | "verified">();
  target: Target = { kind: "unknown" };
  nowMs = 1_000;

  /** In ZooKeeper: by deploy. */
  readonly slots = new Map<string, number>();
  readonly failed = new Map<string, { build: string; healthy: boolean }>();
  readonly settled = new Set<string>();
  /** The status node, and how the conductor has read it last. */
  word: Word = { step: "other", attempt: 0, deploy: null };
  wordVersion = 0;
  seen: { word: Word; version: number } = { word: this.word, version: 0 };

  readonly history: string[] = [];
  #effectsLeft = Number.POSITIVE_INFINITY;
  #free: string | null = null;
  #boots = 1;
  readonly #restarts = new Map<string, number>();
  readonly #nature: (build: string) => Nature;

  constructor(nature: (build: string) => Nature) {
    this.#nature = nature;
  }

  /** Looks, decides and does one step; after `effects` effects the agent dies and starts anew. */
  step(effects = Number.POSITIVE_INFINITY): Step {
    this.#effectsLeft = effects;
    const step = this.next();
    this.history.push(JSON.stringify(step));
    try {
      this.#take(step);
      if (effects === 0) throw new Crash();
    } catch (error) {
      if (error instanceof Crash) this.proof = null;
      else if (error instanceof StepFailed) this.#onFailure(step, error);
      else throw error;
    }
    this.nowMs += 10;
    return step;
  }

  /** Nothing that runs outlives it. */
  cutPower(): void {
    this.proof = null;
    this.#boots += 1;
    this.runs = null;
    // What it took down is restarted as often as anything else.
    this.#restarts.clear();
  }

  /** What all instances run; null while one is down or they differ. */
  get runs(): string | null {
    const builds = new Set(this.instances.values());
    const [only] = builds;
    return builds.size === 1 && only !== undefined ? only : null;
  }

  /** Their supervisor, or somebody with a console, did it. */
  set runs(build: string | null) {
    for (const name of this.instances.keys()) this.instances.set(name, build);
  }

  next(): Step {
    const instances = this.#served();
    const wanted = this.target.kind === "build" ? this.target.build : null;
    return decide({
      target: this.target,
      actual: {
        current: this.current,
        served: servedByAll(instances, this.current, "deployd"),
        instances,
        startedBy: "deployd",
        release: (wanted === null ? undefined : this.releases.get(wanted)) ?? "absent",
        spool: (wanted === null ? undefined : this.spools.get(wanted)) ?? "absent",
      },
      journal: this.journal,
      permission: this.#permission(wanted),
      proof: this.proof,
      soakMs: 30,
      maxInstalls: 3,
      batch: 1,
      bootId: `boot ${this.#boots}`,
      nowMs: this.nowMs,
    });
  }

  #served(): InstanceServed[] {
    return [...this.instances].map(([name, runs]) => ({
      name,
      served: runs === null ? { kind: "down" } : { kind: "build", build: runs },
    }));
  }

  /** The conductor reads the status, and grants or takes back what follows from what it read last. */
  conduct(): void {
    const { word, version } = this.seen;
    for (const [deploy, attempt] of this.slots) if (word.attempt > attempt) this.slots.delete(deploy);
    if (word.step === "ready" && word.deploy !== null && version === this.wordVersion && !this.slots.has(word.deploy)) {
      this.slots.set(word.deploy, word.attempt);
    }
  }

  look(): void {
    this.seen = { word: this.word, version: this.wordVersion };
  }

  lose(): void {
    const { activation } = this.journal;
    for (const deploy of this.slots.keys()) {
      this.slots.delete(deploy);
      this.failed.set(deploy, { build: activation?.build ?? "", healthy: false });
    }
  }

  #permission(wanted: string | null): Permission {
    if (this.journal.activation !== null) return { kind: "granted" };
    if (this.target.kind !== "build" || wanted === null || this.releases.get(wanted) !== "installed")
      return { kind: "none" };
    const nothing = this.current.kind === "absent" || [...this.instances.values()].every((runs) => runs === null);
    if (nothing && this.settled.has(this.target.deploy)) return { kind: "free" };
    const granted = this.slots.get(this.target.deploy) === this.journal.attempt?.number;
    return { kind: granted ? "granted" : "none" };
  }

  #effect(happen: () => void): void {
    if (this.#effectsLeft <= 0) throw new Crash();
    this.#effectsLeft -= 1;
    happen();
  }

  #write(event: JournalEvent): void {
    this.#effect(() => {
      this.journal = journalAfter(this.journal, event);
    });
  }

  #say(step: Word["step"]): void {
    const deploy = this.target.kind === "build" ? this.target.deploy : null;
    const word = { step, attempt: this.journal.attempt?.number ?? 0, deploy };
    if (Bun.deepEquals(word, this.word)) return;
    this.word = word;
    this.wordVersion += 1;
  }

  #activation(): Activation {
    if (this.journal.activation === null) throw new Error("a step of ACTIVATE without an activation");
    return this.journal.activation;
  }

  /** Nothing live is touched without a slot, a failure that keeps its place, or a service with nothing to protect. */
  #assertAllowed(what: string): void {
    const { deploy, attempt } = this.#activation();
    const unhealthy = this.failed.get(deploy)?.healthy === false;
    if (this.slots.has(deploy) || unhealthy || this.#free === `${deploy}/${attempt}`) return;
    throw new Error(`${what} without permission`);
  }

  #assertStillWished(back: boolean): void {
    const { deploy, build } = this.#activation();
    if (back || this.target.kind !== "build") return;
    if (this.target.deploy !== deploy || this.target.build !== build) throw new Error("it went on to an older wish");
  }

  #take(step: Step): void {
    switch (step.step) {
      case "idle":
        // A status is coalesced: it may come late, but what it says is true when it is written.
        return this.#effect(() =>
          this.#say(step.reason === "serving" ? "serving" : step.reason === "failed" ? "failed" : "other"),
        );
      case "take-up": {
        const number = (this.journal.attempt?.number ?? 0) + 1;
        return this.#write({ kind: "taken-up", number, deploy: step.deploy, build: step.build });
      }
      case "withdraw":
        this.#effect(() => {
          this.slots.delete(step.deploy);
          this.#say(step.serving ? "serving" : "other");
        });
        return this.#write({ kind: "withdrawn" });
      case "report": {
        const { failed } = this.journal;
        if (failed === null) throw new Error("a report without a failure");
        this.#effect(() => {
          this.slots.delete(failed.deploy);
          this.failed.set(failed.deploy, { build: failed.build, healthy: failed.healthy });
          this.#say("failed");
        });
        return this.#write({ kind: "reported" });
      }
      case "fetch":
        return this.#effect(() => this.spools.set(step.build, "fetched"));
      case "verify":
        return this.#effect(() => this.spools.set(step.build, "verified"));
      case "extract":
        return this.#effect(() => this.releases.set(step.build, "extracted"));
      case "install": {
        const { deploy, build } = step;
        const { installs } = this.journal;
        const begun = installs?.deploy === deploy && installs.build === build ? installs.begun : 0;
        if (begun >= 3) throw new Error("one install too many");
        this.#write({ kind: "install-begun" });
        if (this.#nature(build) === "install-fails") throw new StepFailed("install");
        return this.#effect(() => this.releases.set(build, "installed"));
      }
      case "refuse":
        return this.#condemn({ ...step.failure, atMs: this.nowMs });
      case "ask":
        this.#write({ kind: "asked" });
        return this.#effect(() => this.#say("ready"));
      case "begin": {
        const { deploy, build, attempt } = step.activation;
        const { failed } = this.journal;
        if (failed?.deploy === deploy && failed.build === build) throw new Error("a failed build is tried again");
        this.#free = this.#permission(build).kind === "free" ? `${deploy}/${attempt}` : null;
        this.proof = null;
        this.#restarts.clear();
        return this.#write({ kind: "begun", activation: step.activation });
      }
      case "abandon":
        return this.#write({ kind: "abandoned" });
      case "note-boot":
        return this.#write({ kind: "rebooted", bootId: `boot ${this.#boots}`, down: step.down });
      case "flip":
        this.#assertAllowed("a flip");
        this.#assertStillWished(step.back);
        if (this.releases.get(step.build) !== "installed") throw new Error("current names what is not installed");
        return this.#effect(() => (this.current = { kind: "link", build: step.build, changedAtMs: this.nowMs }));
      case "restart":
        return this.#restart(step.build, step.batch);
      case "check": {
        if (this.#nature(step.build) === "check-fails" || this.runs !== step.build) throw new StepFailed("check");
        this.#write({ kind: "checked", build: step.build, processes: [] });
        this.proof = { build: step.build, attempt: this.#activation().attempt, atMs: this.nowMs };
        return;
      }
      case "soak":
        return this.#effect(() => (this.nowMs += step.remainingMs));
      case "turn-back":
        return this.#turnBack({ ...step.failure, atMs: this.nowMs });
      case "give-up":
        return this.#giveUp(step.healthy);
      case "finish": {
        const { deploy } = this.#activation();
        this.#write({ kind: "proven" });
        this.#effect(() => {
          this.slots.delete(deploy);
          const failed = this.failed.get(deploy);
          if (failed !== undefined) this.failed.set(deploy, { ...failed, healthy: true });
          this.#say("serving");
        });
        return this.#write({ kind: "finished" });
      }
    }
  }

  #restart(build: string, batch: readonly string[]): void {
    this.#assertAllowed("a restart");
    const activation = this.#activation();
    const { phase } = activation;
    if (!("restart" in phase)) throw new Error("a restart of a host that gave up, or was proven");
    if (batch.length !== 1) throw new Error("more instances at once than may be");
    const tries = `${phase.kind}/${batch.join()}`;
    const count = (this.#restarts.get(tries) ?? 0) + 1;
    if (count > MAX_RESTARTS) throw new Error("one restart too many");
    this.#write({ kind: "batch-begun", batch, instances: [...this.instances.keys()] });
    this.#restarts.set(tries, count);
    this.proof = null;
    for (const name of batch) this.#effect(() => this.instances.set(name, null));
    if (this.#nature(build) === "restart-kills-agent") throw new Crash();
    if (this.#nature(build) === "restart-fails") throw new StepFailed("restart");
    const started = this.current.kind === "link" ? this.current.build : null;
    for (const name of batch) this.#effect(() => this.instances.set(name, started));
    this.#write({ kind: "batch-ended", how: "restarted", cost: { ...noCounts, instances: batch.length } });
  }

  #onFailure(step: Step, error: Error): void {
    this.#effectsLeft = Number.POSITIVE_INFINITY;
    const failure: StepFailure = {
      code: "check-failed",
      message: error.message,
      hint: "",
      step: "check",
      log: "",
      atMs: this.nowMs,
    };
    // A failed install may be tried again: the ladder counts.
    if (step.step !== "install") this.#turnBack(failure);
  }

  #turnBack(failure: StepFailure): void {
    const activation = this.#activation();
    if (activation.phase.kind === "proven") throw new Error("a proven build was doubted again");
    this.proof = null;
    this.#write({ kind: "turned-back", failure, instances: this.#served() });
  }

  #condemn(failure: StepFailure): void {
    if (this.target.kind !== "build") return;
    this.#write({ kind: "condemned", failure, healthy: true });
  }

  #giveUp(healthy: boolean): void {
    this.#write({ kind: "given-up", healthy });
  }
}
