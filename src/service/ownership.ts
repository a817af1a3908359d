import { asDeployError } from "../core/errors.ts";
import type { Machine } from "../machine/machine.ts";
import type { ProcessFact, Processes } from "../machine/processes.ts";
import type { Supervisor } from "../restart/effects.ts";
import type { Files } from "../steps/files.ts";
import type { Layout } from "../steps/layout.ts";
import { readReleaseRecord } from "../steps/release_records.ts";
import { ROOT_UID, type HostUser, type Owner } from "../support/command.ts";
import { until, type LookAgain } from "../support/wait.ts";

export interface OwnershipEffects {
  readonly machine: Pick<Machine, "clock" | "isRoot" | "processes">;
  readonly files: Files;
  readonly layout: Layout;
  /** Called with what a person has to know about it; with "" when nothing is wrong any more. */
  readonly onProblem: (problem: string) => void;
}

/** How long a process may take to end after it was told to. */
const END: LookAgain = { everyMs: 50, withinMs: 10_000 };

/**
 * Makes sure that the files of a service belong to the user that it runs as, also after `run_as` was changed. Its former
 * user is known by the owner of its releases: each was given to the user of its time, in a directory where only root may
 * do so.
 */
export class Ownership {
  readonly #effects: OwnershipEffects;
  #user: HostUser | null = null;
  /** Former users that still own files of the service. */
  #former: readonly Owner[] = [];
  #taking: Promise<void> | null = null;
  #ofRoot = "";

  constructor(effects: OwnershipEffects) {
    this.#effects = effects;
  }

  /** The process table, in which processes that still run as a former user belong to the service too. */
  get processes(): Processes {
    const { processes } = this.#effects.machine;
    return {
      ...processes,
      of: async (service) => [...(await processes.of(service)), ...(await this.#running())],
    };
  }

  /**
   * Finds out who owns the files. Files that nobody uses change owner at once; those that a running service uses, with
   * its next restart.
   */
  async look(user: HostUser | undefined): Promise<void> {
    const { machine, onProblem } = this.#effects;
    onProblem("");
    if (!machine.isRoot || user === undefined || user.uid === ROOT_UID) return;
    this.#user = user;
    const former = await this.#formerOwners(user);
    this.#former = former.filter(({ uid }) => uid !== ROOT_UID);
    this.#ofRoot = this.#former.length < former.length ? whatRootHas(user, this.#effects.layout) : "";
    const running = await this.#running();
    if (running.length === 0) return this.#give(user);
    // Where the home cannot be given to the new user now, the restart tries again, and reports it.
    await this.#giveHome(user).catch(() => {});
    const pids = running.map(({ pid, uid }) => `${pid} of user ${uid}`).join(", ");
    onProblem(
      `run_as is "${user.name}" now, and the service still runs as its former user (process ${pids}): its next restart ends that, and gives what it has in shared/ to "${user.name}".`,
    );
  }

  /**
   * The supervisor, which also changes the owner of the files where it stops the service.
   *
   * @param ends whether the former user's processes are ended; false where a supervisor runs them, since stopping them is
   *   up to it
   */
  before(supervisor: Supervisor, ends: boolean): Supervisor {
    if (this.#former.length === 0) return supervisor;
    const { parts, handover } = supervisor;
    const first = async (signal: AbortSignal, then: (signal: AbortSignal) => Promise<void>): Promise<void> => {
      await this.#take(ends, signal);
      await then(signal);
    };
    return {
      restart: (signal) => first(signal, (signal) => supervisor.restart(signal)),
      parts:
        parts === null
          ? null
          : {
              stop: (signal) => first(signal, (signal) => parts.stop(signal)),
              start: (signal) => parts.start(signal),
            },
      handover:
        handover === null
          ? null
          : {
              begin: (signal) => first(signal, (signal) => handover.begin(signal)),
              abandon: (signal) => handover.abandon(signal),
              oldPids: (signal) => handover.oldPids(signal),
              finish: (signal) => handover.finish(signal),
            },
      revival: supervisor.revival,
      mainPids: (signal) => supervisor.mainPids(signal),
    };
  }

  /** Gives the files to the new user once, however many instances are stopped at the same time. */
  async #take(ends: boolean, signal: AbortSignal): Promise<void> {
    const user = this.#user;
    if (user === null || this.#former.length === 0) return;
    this.#taking ??= (async () => {
      try {
        if (ends) await this.#end(signal);
        await this.#give(user);
      } finally {
        this.#taking = null;
      }
    })();
    await this.#taking;
  }

  async #formerOwners(user: HostUser): Promise<Owner[]> {
    const { files, layout } = this.#effects;
    const found = new Map<number, Owner>();
    for (const build of await files.list(layout.releases)) {
      const entry = await files.look(layout.release(build));
      if (entry?.kind !== "directory" || entry.uid === user.uid) continue;
      // A release that somebody put there by hand says nothing about a former user of the service.
      if ((await readReleaseRecord(layout, build, files)) === null) continue;
      found.set(entry.uid, { uid: entry.uid, gid: entry.gid });
    }
    return [...found.values()];
  }

  async #running(): Promise<readonly ProcessFact[]> {
    const { machine, layout } = this.#effects;
    const all = this.#former.map(({ uid }) => machine.processes.of({ root: layout.root, uid, mains: [] }));
    return (await Promise.all(all)).flat().filter(({ uid }) => this.#former.some((former) => former.uid === uid));
  }

  /** Ends the former user's processes. Only root can: the service's own stop command runs as the new user. */
  async #end(signal: AbortSignal): Promise<void> {
    const { clock } = this.#effects.machine;
    for (const name of ["SIGTERM", "SIGKILL"] as const) {
      for (const { pid } of await this.#running()) this.#tell(pid, name);
      await until(
        () => this.#running(),
        (left) => left.length === 0,
        END,
        clock,
        signal,
      );
    }
  }

  #tell(pid: number, name: "SIGTERM" | "SIGKILL"): void {
    try {
      this.#effects.machine.processes.kill(pid, name);
    } catch {
      // It has ended since.
    }
  }

  async #give(user: HostUser): Promise<void> {
    const { files, layout, onProblem } = this.#effects;
    const problems = [this.#ofRoot];
    try {
      await this.#giveHome(user);
      for (const from of this.#former) {
        const { kept, named } = await files.giveTree(layout.shared, from, user);
        // The releases come last, since their owner tells who the former user was.
        for (const build of await files.list(layout.releases)) {
          if ((await files.look(layout.release(build)))?.uid === from.uid) {
            await files.giveTree(layout.release(build), from, user);
          }
        }
        if (kept > 0) problems.push(this.#ofKept(user, from, kept, named));
      }
      this.#former = [];
    } catch (error) {
      // A disk that is full or read-only must not keep the agent from looking after the service; a restart tries again.
      problems.push(asDeployError(error, `Cannot give shared/ to "${user.name}"`).explained);
    }
    onProblem(problems.filter((problem) => problem !== "").join(" "));
  }

  /**
   * Gives HOME to the new user, before the restart: the install steps of the build that is about to be activated need it
   * (docs/adr/0021). The running service can lose it: what it needs unchanged is in `shared/`.
   */
  async #giveHome(user: HostUser): Promise<void> {
    const { files, layout } = this.#effects;
    if ((await files.kindOf(layout.home)) !== "directory") return;
    for (const from of this.#former) await files.giveTree(layout.home, from, user);
  }

  #ofKept(user: HostUser, from: Owner, kept: number, named: readonly string[]): string {
    const more = kept > named.length ? ` and ${kept - named.length} more` : "";
    return `Cannot give all of ${this.#effects.layout.shared} to "${user.name}": ${named.join(", ")}${more} still belong to user ${from.uid}, because they have further hard links, lie too deep, or are on another file system. If they are the service's: chown -h ${user.name}: PATH`;
  }
}

function whatRootHas(user: HostUser, { shared }: Layout): string {
  return `run_as is "${user.name}" now and was root before, whose files are given to nobody. For those that are the service's: chown -hR --from=root ${user.name}: ${shared}/PATH`;
}
