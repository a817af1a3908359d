import type { ProcessStamp } from "../schema/journal.ts";

/** `<root>/current`, as found on disk. */
export type CurrentLink =
  | { kind: "absent" }
  | { kind: "link"; build: string; changedAtMs: number }
  /** Not a link into `releases/`: somebody else made it, and deployd never touches it. */
  | { kind: "foreign"; what: string };

/** What the processes of the service say that they run. */
export type Served =
  | { kind: "down" }
  | { kind: "build"; build: string }
  /** Something runs, or may run, but does not show which build, such as an nginx that reads its site through `current`. */
  | { kind: "unknown" };

/** What one instance runs. */
export interface InstanceServed {
  readonly name: string;
  readonly served: Served;
}

export interface RunningProcess extends ProcessStamp {
  readonly startedAtMs: number;
  /** The release its working directory, program or arguments lie in; null when they show none. */
  readonly release: string | null;
}

export interface ServedFacts {
  readonly current: CurrentLink;
  /** Processes whose working directory, program or arguments lie in `releases/`. */
  readonly processes: readonly RunningProcess[];
  /** The running processes that the supervisor or the pid file names; null when this kind of supervisor does not know. */
  readonly mains: readonly RunningProcess[] | null;
  readonly restarted: { readonly build: string; readonly processes: readonly ProcessStamp[] } | null;
}

/**
 * Which build the service's processes run. The processes themselves are asked first. A process that shows no release,
 * such as a server that reads its files through `current`, serves current's build when a restart or reload for that build
 * left it running, or when it is new and started after the flip.
 */
export function servedBuild(facts: ServedFacts): Served {
  const { current, mains, restarted } = facts;
  if (mains !== null && mains.length === 0) return { kind: "down" };

  const shown = facts.processes.filter((process) => process.release !== null);
  if (current.kind === "link" && shown.some((process) => process.release === current.build)) {
    return { kind: "build", build: current.build };
  }
  const newest = shown.toSorted((a, b) => b.startTicks - a.startTicks)[0];
  if (newest?.release !== undefined && newest.release !== null) return { kind: "build", build: newest.release };

  if (mains !== null) {
    if (current.kind !== "link") return { kind: "unknown" };
    const { build, changedAtMs } = current;
    const serves = mains.every((main) =>
      // The clock may have been set since the flip; a process that was there at the last check is recognised without it.
      restarted?.processes.some((process) => sameProcess(process, main)) === true
        ? restarted.build === build
        : main.startedAtMs > changedAtMs,
    );
    return serves ? { kind: "build", build: current.build } : { kind: "unknown" };
  }
  // Processes that the last restart left running show no release either, but are recognised by their stamps.
  const known = restarted?.processes.some((stamp) => facts.processes.some((each) => sameProcess(stamp, each))) === true;
  if (known && current.kind === "link" && restarted?.build === current.build)
    return { kind: "build", build: current.build };
  // The supervisor cannot be asked: absent processes mean "down" only where processes were seen before.
  return restarted !== null && restarted.processes.length > 0 ? { kind: "down" } : { kind: "unknown" };
}

/** A build that is only files restarts nothing, so what is served is what `current` points at. */
export function servedStatically(current: CurrentLink): Served {
  return current.kind === "link" ? { kind: "build", build: current.build } : { kind: "unknown" };
}

type Identity = Pick<ProcessStamp, "pid" | "startTicks">;

export function sameProcess(a: Identity, b: Identity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks;
}

/**
 * What a service of several instances serves, in a word. An instance that shows another build than the others decides,
 * since something has to be done about it; one that is down decides only where nobody but deployd would start it again.
 */
export function servedByAll(
  instances: readonly InstanceServed[],
  current: CurrentLink,
  startedBy: "deployd" | "supervisor",
): Served {
  const all = instances.map(({ served }) => served);
  const expected = current.kind === "link" ? current.build : null;
  const other = all.find((served) => served.kind === "build" && served.build !== expected);
  if (other !== undefined) return other;
  const down = all.filter((served) => served.kind === "down");
  if (down.length === all.length || (down.length > 0 && startedBy === "deployd")) return { kind: "down" };
  return (
    all.find((served) => served.kind === "unknown") ??
    all.find((served) => served.kind === "build") ??
    all[0] ?? { kind: "unknown" }
  );
}
