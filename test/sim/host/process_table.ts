import type { StartedFor } from "../../../src/machine/processes.ts";
import type { VirtualTime } from "../time.ts";
import { systemError } from "./system_error.ts";

export interface ProcessFacts {
  readonly parent: number;
  readonly uid: number;
  /** The service's directory that it runs from; null for what is no service's. */
  readonly root: string | null;
  readonly instance: string | null;
  /** DEPLOYD_STEP in its environment. */
  readonly marker: string | null;
  /** The shell of a start or a reload leads its group, and has a marker as its last argument. */
  readonly shellMarker?: string | undefined;
  /** DEPLOYD_BUILD and DEPLOYD_DEPLOY in its environment. */
  readonly startedFor?: StartedFor | null;
  /** The process that leads its group; itself unless given. */
  readonly group?: number | undefined;
}

export type Ending =
  { readonly kind: "exited"; readonly code: number } | { readonly kind: "signalled"; readonly signal: string };

/** What a client gets that asks a process over its port. */
export type Answer =
  | { readonly kind: "answer"; readonly status: number; readonly body: string }
  /** It accepts, and says nothing. */
  | { readonly kind: "silence" };

/** A process of a simulated host. What it does while it runs is given to it by whoever starts it. */
export class SimProcess {
  readonly pid: number;
  readonly startTicks: number;
  /** On the time of the rehearsal. */
  readonly startedAtMs: number;
  readonly facts: ProcessFacts;
  parent: number;
  /** The release that its directory lies in; null when its arguments say `current`. */
  release: string | null;
  /** What it does at a signal; by default it ends. KILL never asks. */
  onSignal: (signal: string) => void = (signal) => this.end({ kind: "signalled", signal });
  answer: () => Answer = () => ({ kind: "silence" });
  port: number | null = null;
  #state: "running" | "ended" | "lost" = "running";
  readonly #time: VirtualTime;
  readonly #table: ProcessTable;
  readonly #listeners: ((ending: Ending) => void)[] = [];

  constructor(table: ProcessTable, time: VirtualTime, pid: number, bootedAtMs: number, facts: ProcessFacts) {
    this.#table = table;
    this.#time = time;
    this.pid = pid;
    this.parent = facts.parent;
    this.facts = facts;
    this.release = null;
    this.startedAtMs = time.nowMs;
    this.startTicks = Math.floor((time.nowMs - bootedAtMs) / 10);
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  get group(): number {
    return this.facts.group ?? this.pid;
  }

  /** Calls `work` later, if it still runs then. */
  after(ms: number, work: () => void): void {
    this.#time.after(ms, () => {
      if (this.isRunning) work();
    });
  }

  /** Never settles when it has ended by then. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  onEnd(listener: (ending: Ending) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes a port; false when another process has it. */
  listen(port: number): boolean {
    return this.#table.bind(this, port);
  }

  end(ending: Ending): void {
    if (!this.isRunning) return;
    this.#state = "ended";
    this.#table.forget(this);
    for (const listener of this.#listeners) listener(ending);
  }

  /** The machine has lost its power: nobody is told. */
  lose(): void {
    this.#state = "lost";
  }
}

/** Pids are used again when the counter comes round, as on a host with a small `kernel.pid_max`. */
const MOST_PIDS = 32_768;
const FIRST_PID = 300;

/** Who runs on a host, and on which port. */
export class ProcessTable {
  readonly #time: VirtualTime;
  #bootedAtMs: number;
  /** Told whenever a process starts, ends, or takes a port. */
  onChange: () => void = () => {};
  readonly #processes = new Map<number, SimProcess>();
  readonly #ports = new Map<number, SimProcess>();
  #last = FIRST_PID;

  constructor(time: VirtualTime) {
    this.#time = time;
    this.#bootedAtMs = time.nowMs;
  }

  /** The kernel has started. */
  boot(): void {
    this.#bootedAtMs = this.#time.nowMs;
    this.#last = FIRST_PID;
  }

  start(facts: ProcessFacts): SimProcess {
    do this.#last = this.#last >= MOST_PIDS ? FIRST_PID : this.#last + 1;
    while (this.#processes.has(this.#last));
    const process = new SimProcess(this, this.#time, this.#last, this.#bootedAtMs, facts);
    this.#processes.set(process.pid, process);
    this.onChange();
    return process;
  }

  get(pid: number): SimProcess | null {
    return this.#processes.get(pid) ?? null;
  }

  all(): SimProcess[] {
    return [...this.#processes.values()];
  }

  /** Those of a service, oldest first; not the commands of its steps. */
  ofService(root: string, instance: string | null = null): SimProcess[] {
    return this.all().filter(
      ({ facts }) => facts.root === root && facts.marker === null && (instance === null || facts.instance === instance),
    );
  }

  /** Who listens there. */
  at(port: number): SimProcess | null {
    return this.#ports.get(port) ?? null;
  }

  /** @throws ESRCH */
  signal(pid: number, signal: string): void {
    const process = this.#processes.get(pid);
    if (process === undefined) throw systemError("ESRCH", "kill", String(pid));
    if (signal === "SIGKILL") process.end({ kind: "signalled", signal });
    else process.onSignal(signal);
  }

  /** The machine has lost its power. */
  lose(): void {
    for (const process of this.#processes.values()) process.lose();
    this.#processes.clear();
    this.#ports.clear();
    this.onChange();
  }

  /** For a process alone. */
  bind(process: SimProcess, port: number): boolean {
    if (this.#ports.has(port)) return false;
    this.#ports.set(port, process);
    process.port = port;
    this.onChange();
    return true;
  }

  /** For a process alone. */
  forget(process: SimProcess): void {
    this.#processes.delete(process.pid);
    if (process.port !== null) this.#ports.delete(process.port);
    for (const other of this.#processes.values()) if (other.parent === process.pid) other.parent = 1;
    this.onChange();
  }
}
