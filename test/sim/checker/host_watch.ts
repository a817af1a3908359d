import { readJournal, type JournalReading } from "../../../src/schema/journal_versions.ts";
import type { Activation, Journal } from "../../../src/schema/journal.ts";
import { layoutOf, type Layout } from "../../../src/steps/layout.ts";
import { currentFact, instanceFacts, type InstanceFact } from "../host/facts.ts";
import { textOf } from "../host/disk_port.ts";
import type { HostService } from "../host/ground.ts";
import type { Effect } from "../host/life.ts";
import type { SimHost } from "../host/sim_host.ts";
import { batchIn, leaves, revives, wholeJournal } from "./journal_says.ts";
import type { Ledger } from "./ledger.ts";
import { TryCounts } from "./try_counts.ts";

/** Why a host is out of service. */
interface Outage {
  readonly sinceMs: number;
  /** By an activation of this deploy, or by nothing of ours. */
  readonly deploy: string | null;
}

const OTHERS_STEADY_MS = 12_000;
/** From the last question to the journal that says what was answered, on a slow disk. */
const LAST_QUESTION_MS = 1_000;

/**
 * One host as it really is: what runs, what has traffic, what its journal says on the disk. Whatever must hold on one host
 * alone is held against that at every change.
 */
export class HostWatch {
  readonly host: SimHost;
  readonly service: HostService;
  journal: Journal | null = null;
  /** When the journal was last written. */
  journalHeardMs = 0;
  /** When it was last told something of the activation. */
  phaseHeardMs = 0;
  outage: Outage | null = null;
  /** It was in service when its activation began. */
  tookFromService = false;
  /** Once it was. */
  hasServed = false;
  readonly #ledger: Ledger;
  readonly #nowMs: () => number;
  #facts: readonly InstanceFact[] = [];
  #available: ReadonlySet<string> = new Set();
  /** When each instance last came into or out of service. */
  readonly #changedAtMs = new Map<string, number>();
  readonly #layout: Layout;
  #journalBytes: Uint8Array | null = null;
  #tries = new TryCounts();
  /** Instances that were not in service when it began: that is not its doing, and it may never have been so again. */
  #wereDown: readonly string[] = [];
  /** The instances that were in service when the batch that is restarted was begun. */
  #servedAtBatch: ReadonlySet<string> = new Set();
  /** The instances that were well at any time since its agent last stopped or started one; null where it has not. */
  #wellSinceAct: Set<string> | null = null;
  #hadCurrent = false;
  /** The attempt that a person does not wait for. */
  #excused: number | null = null;
  /** Names have changed since `current` was looked at. */
  #mayBeTorn = true;
  #minute = 0;
  #lookMinute = 0;
  #looksBefore = 0;
  #effectsThisMinute = 0;

  constructor(host: SimHost, service: HostService, ledger: Ledger, nowMs: () => number) {
    this.host = host;
    this.service = service;
    this.#layout = layoutOf(service.root);
    this.#ledger = ledger;
    this.#nowMs = nowMs;
  }

  get name(): string {
    return this.host.name;
  }

  get facts(): readonly InstanceFact[] {
    return this.#facts;
  }

  get isInService(): boolean {
    return this.#available.size >= Math.max(1, this.service.minAvailable);
  }

  /** When its agent last did something to the service or its traffic. */
  lastActMs = 0;

  /** Before an effect of its agent. */
  before(effect: Effect): void {
    this.#countEffect(effect);
    if (effect.kind === "command" || effect.kind === "signal" || effect.kind === "traffic")
      this.lastActMs = this.#nowMs();
    // With each change of the journal its file changes its name, and that tears nothing else.
    if (effect.kind === "remove" || (effect.kind === "name" && !effect.what.endsWith(this.#layout.state)))
      this.#mayBeTorn = true;
    if (effect.kind === "command" && /svc (?:stop|start)"$/.test(effect.what)) this.#assertWritten(effect);
    if (effect.kind === "signal" && this.#isOfService(effect)) this.#assertWritten(effect);
    if (effect.kind === "traffic") this.#assertSteered(effect);
    const tooMany = this.journal === null ? null : this.#tries.tooMany(effect, this.journal);
    if (tooMany !== null) this.#ledger.broken("tries", `${this.name}: ${tooMany}`);
  }

  /** Its power has gone, and with it what was not flushed. */
  lostPower(): void {
    this.#mayBeTorn = true;
    this.#wellSinceAct = null;
    this.#tries.begin();
  }

  /** Another machine has its name. What the one before was at when it went is still in somebody's books. */
  replaced(): void {
    this.#hadCurrent = false;
    this.look();
    this.journal = null;
    this.#journalBytes = null;
    this.#tries = new TryCounts();
  }

  /** After anything that may have changed it. */
  look(): void {
    this.#countLooks();
    this.#readJournal();
    this.#facts = instanceFacts(this.host, this.service);
    for (const { instance, serves } of this.#facts) if (serves?.isWell === true) this.#wellSinceAct?.add(instance);
    this.#assertGenuine();
    this.#assertCurrent();
    this.#followTraffic();
    this.#followService();
  }

  #readJournal(): void {
    const found = this.host.disk.read(this.#layout.state, true);
    // A file is written anew with each change.
    if (found === null || found.bytes === this.#journalBytes) return;
    this.#journalBytes = found.bytes;
    this.journalHeardMs = this.#nowMs();
    const read = this.#journalIn(textOf(found.bytes));
    const isBegun = read.kind === "understood" && read.journal.activation !== null;
    if (isBegun && (this.journal?.activation ?? null) === null) {
      this.tookFromService = this.isInService && !this.#isRepairBy(read.journal.activation);
      this.#wereDown = this.service.instances.map(({ name }) => name).filter((name) => !this.#available.has(name));
    }
    if (read.kind === "understood") {
      if (batchIn(read.journal) !== batchIn(this.journal)) this.#servedAtBatch = this.#available;
      if (!Bun.deepEquals(read.journal.activation, this.journal?.activation)) this.phaseHeardMs = this.#nowMs();
      if (read.journal.activation?.phase.kind === "proven") this.#forgiveWhatCameJustNow();
      this.journal = read.journal;
      this.#assertBatch(read.journal);
      if (read.journal.activation === null) this.#tries.begin();
      // Of an agent that will be: somebody has put it there by hand.
    } else if (read.kind === "torn" || !read.newer) {
      this.#ledger.broken("journal-whole", `${this.name}: its journal is ${read.kind}: ${read.problems.join("; ")}`);
    }
  }

  /** With all care what a death has left. What an agent writes while it lives comes often, and the agent reads it back. */
  #journalIn(text: string): JournalReading {
    return (this.host.life === null ? null : wholeJournal(text)) ?? readJournal(text);
  }

  #assertBatch({ activation }: Journal): void {
    const phase = activation?.phase;
    if (phase === undefined || !("restart" in phase) || phase.restart.batch.length <= this.service.batch) return;
    const names = phase.restart.batch.join(", ");
    this.#ledger.broken("batch-size", `${this.name}: ${names} restart at once, where ${this.service.batch} may`);
  }

  /** It is asked a last time before its journal calls it proven, and may fall ill by itself between the two. */
  #forgiveWhatCameJustNow(): void {
    if (this.outage === null || this.#nowMs() - this.outage.sinceMs > LAST_QUESTION_MS) return;
    this.outage = { ...this.outage, deploy: null };
  }

  /** Instances that are down are started again under the build that the others serve, and no other is touched. */
  #isRepairBy(activation: Activation | null): boolean {
    return this.#facts.every(({ serves }) => serves === null || serves.build === activation?.build);
  }

  #assertWritten({ what }: Effect): void {
    this.#readJournal();
    this.#wellSinceAct = new Set();
    const { leaving } = this.journal ?? {};
    if (leaving !== undefined && leaving.phase !== "starting" && what.endsWith('svc start"'))
      this.#ledger.broken("stays-stopped", `${this.name}: ${what}, and its journal says that it is ${leaving.phase}`);
    const phase = this.journal?.activation?.phase;
    if (phase !== undefined && "restart" in phase && phase.restart.batch.length > 0 && phase.restart.begun > 0) return;
    if (leaves(this.journal, what)) return;
    if (revives(this.journal) && this.#facts.some(({ serves }) => serves === null)) return;
    this.#ledger.broken("write-ahead", `${this.name}: ${what}, and its journal says ${JSON.stringify(phase ?? null)}`);
  }

  /** Whom new connections are kept from, the journal says; and whoever gets them again after its restart has answered. */
  #assertSteered({ what }: Effect): void {
    const words = /^steer \S+ to (.+)$/.exec(what)?.[1];
    if (words === undefined) return;
    this.#readJournal();
    const [on, off] = [words.split(", "), this.journal?.traffic?.off ?? []];
    const unsaid = this.service.instances.filter(({ name }) => !on.includes(name) && !off.includes(name));
    if (unsaid.length > 0) {
      const names = unsaid.map(({ name }) => name).join(", ");
      this.#ledger.broken(
        "write-ahead",
        `${this.name}: traffic is taken from ${names}, and its journal does not say so`,
      );
    }
    const phase = this.journal?.activation?.phase;
    const batch = phase !== undefined && "restart" in phase ? phase.restart.batch : [];
    const well = this.#wellSinceAct;
    const early = well === null ? [] : batch.filter((name) => on.includes(name) && !well.has(name));
    if (early.length > 0)
      this.#ledger.broken(
        "early-traffic",
        `${this.name}: ${early.join(", ")} gets traffic, and has answered nobody yet`,
      );
  }

  #isOfService({ what }: Effect): boolean {
    const pid = Number(/^SIG(?:TERM|HUP) to process (\d+)$/.exec(what)?.[1] ?? Number.NaN);
    const facts = this.host.processes.get(pid)?.facts;
    return facts !== undefined && facts.root === this.service.root && facts.marker === null;
  }

  #assertGenuine(): void {
    for (const { instance, serves } of this.#facts) {
      if (serves === null || (serves.isGenuine && serves.isInstalled)) continue;
      const what = serves.isGenuine ? "not installed" : "not what its build is";
      this.#ledger.broken("genuine", `${this.name}: instance ${instance} runs ${serves.build}, which is ${what}`);
    }
  }

  #assertCurrent(): void {
    if (!this.#mayBeTorn) return;
    this.#mayBeTorn = false;
    const current = currentFact(this.host, this.service);
    if (current.kind === "release" && current.isGenuine) this.#hadCurrent = true;
    else if (current.kind === "torn") this.#ledger.broken("current", `${this.name}: current is torn: ${current.what}`);
    else if (current.kind === "release") this.#ledger.broken("current", `${this.name}: ${current.build} is damaged`);
    else if (this.#hadCurrent) this.#ledger.broken("current", `${this.name}: current is gone`);
  }

  /** Instances that are well and get new connections, and who took one away. */
  #followTraffic(): void {
    const before = this.#available;
    const now = new Set(
      this.#facts
        .filter(({ serves, hasTraffic }) => serves?.isWell === true && hasTraffic)
        .map((fact) => fact.instance),
    );
    this.#available = now;
    for (const { name } of this.service.instances) {
      if (before.has(name) !== now.has(name)) this.#changedAtMs.set(name, this.#nowMs());
    }
    const phase = this.journal?.activation?.phase;
    if (phase?.kind !== "forward" || !this.host.isUp) return;
    const { batch } = phase.restart;
    // Who was out when its restart began takes nothing from anybody, however often its traffic comes and goes meanwhile.
    const taken = [...before].filter((name) => !now.has(name) && batch.includes(name) && this.#servedAtBatch.has(name));
    if (taken.length === 0) return;
    const { minAvailable } = this.service;
    const others = [...now].filter((name) => !batch.includes(name));
    if (others.length === minAvailable && minAvailable > 0)
      this.#ledger.reached("exactly min_available left in traffic");
    const steady = this.service.instances
      .filter(({ name }) => !batch.includes(name))
      .every(({ name }) => this.#nowMs() - (this.#changedAtMs.get(name) ?? 0) > OTHERS_STEADY_MS);
    const wereDown = this.#wereDown.filter((name) => !now.has(name) && !batch.includes(name));
    if (others.length + wereDown.length >= minAvailable || !steady) return;
    const what = `${taken.join(", ")} was taken out and ${others.length} are left, where ${minAvailable} must be`;
    this.#ledger.broken("min-available", `${this.name}: ${what}`);
  }

  #followService(): void {
    if (this.isInService) {
      this.hasServed = true;
      this.outage = null;
    } else if (this.hasServed && this.outage === null) {
      this.outage = { sinceMs: this.#nowMs(), deploy: this.#deployThatTookItOut() };
    }
  }

  /**
   * Whose activation is under way. One that is proven has given its slot back, or is about to; and one that began when the
   * host was out of service already has taken nothing away.
   */
  #deployThatTookItOut(): string | null {
    const activation = this.journal?.activation ?? null;
    if (activation === null || activation.phase.kind === "proven" || !this.tookFromService) return null;
    return activation.attempt === this.#excused ? null : activation.deploy;
  }

  /** A person has said that it need not be counted on, until it has come through what it is at. */
  excuse(): void {
    this.#excused = this.journal?.activation?.attempt ?? null;
    if (this.outage !== null) this.outage = { ...this.outage, deploy: null };
  }

  /** What is tried over and over and fails at once may change nothing, and only ask. */
  #countLooks(): void {
    const minute = Math.floor(this.#nowMs() / 60_000);
    const looks = this.host.life?.looks ?? 0;
    if (minute !== this.#lookMinute || looks < this.#looksBefore) this.#looksBefore = looks;
    this.#lookMinute = minute;
    if (looks - this.#looksBefore < MOST_LOOKS) return;
    this.#ledger.broken("hot-loop", `${this.name}: it has asked ${MOST_LOOKS} questions within a minute`);
  }

  /** An agent that does the same over and over makes thousands of effects; a deploy makes a few hundred. */
  #countEffect(effect: Effect): void {
    if (effect.kind === "download" || effect.kind === "write") return;
    const minute = Math.floor(this.#nowMs() / 60_000);
    if (minute !== this.#minute) this.#effectsThisMinute = 0;
    this.#minute = minute;
    this.#effectsThisMinute += 1;
    if (this.#effectsThisMinute === MOST_EFFECTS) {
      this.#ledger.broken(
        "hot-loop",
        `${this.name}: ${MOST_EFFECTS} effects within a minute, the last: ${effect.what}`,
      );
    }
  }
}

/** A busy minute of a host has about 1,400. */
const MOST_LOOKS = 8_000;

/** A minute in which a host is brought to one build after the other has about 400; see the bench's figures. */
const MOST_EFFECTS = 1_500;
