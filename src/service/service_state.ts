import type { Leftover } from "../core/leftovers.ts";
import { isOutlived } from "../core/journal_former.ts";
import type { DeployError } from "../core/errors.ts";
import type { Actual, Proof } from "../core/situation.ts";
import { hostStatus, type Trouble } from "../core/status.ts";
import type { RestartCost } from "../schema/journal.ts";
import type { RestartPhase } from "../schema/restart_phases.ts";
import type { HostStatus, HostStep } from "../schema/znodes.ts";
import { unreadSnapshot, type WishSnapshot } from "../store/read_wish.ts";
import { Illness } from "./illness.ts";
import type { Troubles } from "../store/troubles.ts";
import type { JournalFile } from "./journal_file.ts";

interface ServiceStateOptions {
  readonly service: string;
  readonly journal: JournalFile;
  readonly troubles: Troubles;
  readonly nowMs: () => number;
  readonly say: (level: "info" | "warn", message: string, facts: object) => void;
  /** Called with null when nobody asks any more how the host is. */
  readonly onChange: (status: HostStatus | null) => void;
}

/** What the agent knows of one service at this moment; everything that must survive it is in the journal. */
export class ServiceState {
  readonly service: string;
  readonly journal: JournalFile;
  /** What fails in its dealings with ZooKeeper. */
  readonly troubles: Troubles;
  readonly #nowMs: () => number;
  readonly #onChange: (status: HostStatus | null) => void;
  #step: HostStep = "idle";
  #sinceMs: number;

  snapshot: WishSnapshot = unreadSnapshot;
  actual: Actual | null = null;
  proof: Proof | null = null;
  /** The result of the last probes of the running service; null before the first, and where there is no check. */
  healthy: boolean | null = null;
  /** The attempt at whose beginning the service was found running but unhealthy. */
  illAt: number | null = null;
  /** Why the last probes failed; empty where they passed, or where none were made. */
  whyIll = "";
  readonly #illness: Illness;
  /**
   * The service was looked at. Until then no status is published, since what the agent before this one wrote may be
   * truer.
   */
  isSeen = false;
  /** Processes of other builds whose end is awaited after a restart, for /status. */
  leftovers: readonly Leftover[] = [];
  /** Why the agent cannot work with the service's directory or user; null when it can, or before the first try. */
  unopened: DeployError | null = null;
  /**
   * Which files of the service belong to another user than the one it runs as, and what to do about it; "" when none do.
   */
  disowned = "";
  /** Why the instances that a boot left down could not be started; "" when they could, or when there were none. */
  unstarted = "";
  /** What a person should do before the next boot; "" when there is nothing. */
  warning = "";
  trouble: Trouble | null = null;
  /** What agent.toml says now of what the service's processes get, as a digest. */
  configDigest = "";
  /** What became of the build that the host is to have ready. */
  prepared: HostStatus["prepared"] | null = null;
  /** Why the host cannot leave, where it is to; "" where it can. */
  notLeaving = "";
  /** Another machine has this host's name in ZooKeeper, and is the one that is meant by it. */
  isNameTaken = false;
  /** Bytes of the running download, for /status. */
  downloaded: { bytes: number; of: number } | null = null;

  /** Called with the cost of each restarted batch of instances. */
  onRestarted: (cost: RestartCost) => void = () => {};
  /** The phase of the restart that is under way, for /status. */
  restartPhase: { phase: RestartPhase; batch: readonly string[]; sinceMs: number } | null = null;

  constructor({ service, journal, troubles, nowMs, say, onChange }: ServiceStateOptions) {
    this.service = service;
    this.journal = journal;
    this.troubles = troubles;
    this.#nowMs = nowMs;
    this.#illness = new Illness(nowMs, say);
    this.#onChange = onChange;
    this.#sinceMs = nowMs();
  }

  get step(): HostStep {
    return this.#step;
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  enter(step: HostStep): void {
    if (step !== this.#step) {
      this.#step = step;
      this.#sinceMs = this.#nowMs();
    }
    this.changed();
  }

  /** The status as it would be on this step, to be written together with something else. */
  statusAt(step: HostStep): HostStatus {
    if (step !== this.#step) {
      this.#step = step;
      this.#sinceMs = this.#nowMs();
    }
    return this.status();
  }

  /** Records the wish's number before anything is done for it; older wishes are recognised by that. */
  async remember(): Promise<void> {
    const { order } = this.snapshot;
    if (order === null || order.number <= (this.journal.now.followed?.[order.node] ?? 0)) return;
    await this.journal.record({ kind: "followed", ...order });
  }

  /** The service was started by what agent.toml said before, and nobody has restarted it since. */
  get #isOutdated(): boolean {
    const config = this.journal.now.restarted?.config;
    return config !== undefined && this.configDigest !== "" && config !== this.configDigest;
  }

  changed(): void {
    const { target } = this.snapshot;
    const { attempt } = this.journal.now;
    // Until this agent knows its own number, the status that the agent before it wrote, which holds the number, must
    // stand.
    const isOwn = attempt !== null && !isOutlived(this.journal.now);
    const isNumbered = target.kind !== "build" || isOwn || this.journal.now.leaving !== undefined;
    if (this.snapshot.leave.kind === "forgotten") return this.#onChange(null);
    if (!this.isSeen || target.kind === "unknown" || !isNumbered) return;
    this.#onChange(this.status());
  }

  status(): HostStatus {
    const status = hostStatus({
      target: this.snapshot.target,
      held: this.snapshot.held,
      journal: this.journal.now,
      actual: this.actual,
      step: this.#step,
      sinceMs: this.#sinceMs,
      healthy: this.healthy,
      trouble: this.trouble,
      notLeaving: this.notLeaving,
      prepared: this.prepared,
    });
    const isLeftAlone = this.isSeen && this.journal.now.activation === null;
    const ill = this.#illness.note(isLeftAlone && status.health === "unhealthy", this.whyIll, status);
    return {
      ...status,
      begun: status.begun || this.journal.mayBeAtWork,
      ...(this.#isOutdated ? { outdated: true } : {}),
      ...(ill === null ? {} : { ill }),
      ...(this.warning === "" ? {} : { warning: this.warning }),
    };
  }
}
