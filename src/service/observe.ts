import type { Actual } from "../core/situation.ts";
import { leftoversOf, type Leftover } from "../core/leftovers.ts";
import {
  servedBuild,
  servedByAll,
  servedStatically,
  type RunningProcess,
  type InstanceServed,
  type CurrentLink,
} from "../core/served.ts";
import type { Journal, ProcessStamp } from "../schema/journal.ts";
import type { ProcessFact, Processes } from "../machine/processes.ts";
import { buildId } from "../schema/names.ts";
import type { BuildRecord } from "../schema/znodes.ts";
import type { Files } from "../steps/files.ts";
import type { Layout } from "../steps/layout.ts";
import { readReleaseRecord } from "../steps/release_records.ts";

/** What runs and what lies on the disk for one service. */
export interface Observation {
  readonly actual: Actual;
  /** Processes of the build that is served, by which they are recognised later. */
  readonly processes: readonly ProcessStamp[];
  /** Releases with a process in them; the collector must not remove these. */
  readonly inUse: ReadonlySet<string>;
  /** Processes of other builds than the one that `current` points at, which a restart should have ended. */
  readonly leftovers: readonly Leftover[];
}

export interface Observed {
  readonly files: Files;
  readonly processes: Processes;
  readonly layout: Layout;
  readonly current: CurrentLink;
  readonly journal: Journal;
  readonly wanted: { build: string; record: BuildRecord | null } | null;
  /**
   * At least one name. A process belongs to the instance that its environment names, or whose supervisor names the
   * process.
   */
  readonly instances: readonly string[];
  /** The user that the service runs as; null where that is the agent's own. */
  readonly uid: number | null;
  /** Pids that the supervisor or a pid file names; null when the service is run by commands, or cannot be asked. */
  readonly mainPids: (instance: string) => Promise<readonly number[] | null>;
  readonly startedBy: Actual["startedBy"];
  /** Whether an instance that is down could be started by deployd, and nobody else is about to start it. */
  readonly isStopped: (instance: string) => Promise<boolean>;
  /**
   * The current build is files that somebody else serves: nothing is restarted, so what is served is what `current`
   * points at.
   */
  readonly isStatic: boolean;
  /** A restart of the current build ends every process and starts new ones, whose environment says for which build. */
  readonly startsAnew: boolean;
}

/** What runs of a service. */
export interface Running {
  /** The pids that the supervisor names, by instance. */
  readonly named: readonly { readonly name: string; readonly pids: readonly number[] | null }[];
  readonly shown: readonly ProcessFact[];
}

export async function lookAtRunning({ instances, layout, mainPids, processes, uid }: Observed): Promise<Running> {
  const named = await Promise.all(instances.map(async (name) => ({ name, pids: await mainPids(name) })));
  const mains = named.flatMap(({ pids }) => pids ?? []);
  return { named, shown: await processes.of({ root: layout.root, uid, mains }) };
}

/** @param running what was found running a moment ago; looked at now unless given */
export async function observe(observed: Observed, running: Running | null = null): Promise<Observation> {
  const { named, shown } = running ?? (await lookAtRunning(observed));
  const { files, layout, current, wanted, startedBy } = observed;
  const mains = named.flatMap(({ pids }) => pids ?? []);
  // A process that has left its release, or names it through `current`, shows no build; it was started for its build all
  // the same.
  const all = observed.startsAnew
    ? shown.map((process) => ({ ...process, release: process.release ?? process.startedFor?.build ?? null }))
    : shown;
  const found = await Promise.all(named.map(({ name, pids }) => observeInstance(name, pids, all, observed)));
  const instances = observed.isStatic ? found.map((each) => ({ ...each, served: servedStatically(current) })) : found;
  const stopped: string[] = [];
  for (const { name, served } of instances) {
    if (served.kind === "down" && (await observed.isStopped(name))) stopped.push(name);
  }
  const served = servedByAll(instances, current, startedBy);
  const release = wanted === null ? "absent" : await releaseState(layout, wanted.build, wanted.record, files);
  const spool =
    wanted === null || wanted.record === null ? "absent" : await spoolState(layout, wanted.build, wanted.record, files);
  const own = instances.flatMap(({ processes }) => processes);
  return {
    actual: {
      current,
      served,
      instances: instances.map(({ name, served }) => ({ name, served })),
      release,
      spool,
      startedBy,
      stopped,
    },
    processes: own
      .filter((process) => process.release === null || served.kind !== "build" || process.release === served.build)
      .map(({ pid, startTicks, instance }) => ({ pid, startTicks, instance })),
    inUse: new Set(all.flatMap((process) => (process.release === null ? [] : [process.release]))),
    leftovers:
      current.kind === "link"
        ? leftoversOf(all, current.build, mains, observed.startsAnew ? observed.journal.restarted : null)
        : [],
  };
}

interface ObservedInstance extends InstanceServed {
  readonly processes: readonly RunningProcess[];
}

async function observeInstance(
  name: string,
  mainPids: readonly number[] | null,
  all: readonly ProcessFact[],
  { current, instances, journal, processes: table }: Observed,
): Promise<ObservedInstance> {
  const processes = instances.length === 1 ? all : all.filter((process) => process.instance === name);
  const mains = await runningMains(mainPids, all, table);
  const restarted =
    journal.restarted === null || instances.length === 1
      ? journal.restarted
      : { ...journal.restarted, processes: journal.restarted.processes.filter((stamp) => stamp.instance === name) };
  const shown = mains === null ? processes : [...new Set([...mains, ...processes])];
  // deployd started the others and never this one: it is new on this host.
  const isNew = mains === null && processes.length === 0 && instances.length > 1 && knowsInstances(journal);
  return {
    name,
    served: isNew ? { kind: "down" } : servedBuild({ current, processes: shown, mains, restarted }),
    processes: (mains !== null && mains.length > 0 ? mains : processes).map((process) => ({
      ...process,
      instance: name,
    })),
  };
}

function knowsInstances({ restarted }: Journal): boolean {
  return restarted?.processes.some(({ instance }) => typeof instance === "string") === true;
}

async function runningMains(
  pids: readonly number[] | null,
  processes: readonly RunningProcess[],
  table: Processes,
): Promise<RunningProcess[] | null> {
  if (pids === null) return null;
  const found = await Promise.all(
    pids.map(async (pid): Promise<RunningProcess | null> => {
      const shown = processes.find((process) => process.pid === pid);
      if (shown !== undefined) return shown;
      const fact = await table.fact(pid);
      return fact === null ? null : { pid, startTicks: fact.startTicks, startedAtMs: fact.startedAtMs, release: null };
    }),
  );
  return found.filter((process) => process !== null);
}

/** Where `current` points; a link that does not lead to a release is somebody else's. */
export async function readCurrent(layout: Layout, files: Files): Promise<CurrentLink> {
  const link = await files.readLink(layout.current);
  switch (link.kind) {
    case "absent":
      return { kind: "absent" };
    case "foreign":
      return { kind: "foreign", what: `a ${link.what}` };
    case "link": {
      const inside = link.target.startsWith(`${layout.releases}/`)
        ? link.target.slice(layout.releases.length + 1)
        : link.target.replace(/^releases\//, "");
      return inside !== link.target && buildId.safeParse(inside).success
        ? { kind: "link", build: inside, changedAtMs: link.changedAtMs }
        : { kind: "foreign", what: `a link to ${link.target}` };
    }
  }
}

/** Whether a build lies on the host, unpacked and installed. */
export async function releaseState(
  layout: Layout,
  build: string,
  record: BuildRecord | null,
  files: Files,
): Promise<Actual["release"]> {
  if ((await files.kindOf(layout.release(build))) !== "directory") return "absent";
  const known = await readReleaseRecord(layout, build, files);
  if (known === null || (record !== null && known.digest !== record.digest)) return "absent";
  // An older deployd made the links into shared/ after the install steps had begun; this one makes them while it unpacks.
  if (known.recipe === undefined && !known.installed) return "absent";
  return known.installed ? "installed" : "extracted";
}

/** How far the archive of a build has come. */
export async function spoolState(
  layout: Layout,
  build: string,
  record: BuildRecord,
  files: Files,
): Promise<Actual["spool"]> {
  if ((await files.sizeOf(layout.verified(build, record.digest))) === record.size) return "verified";
  const size = await files.sizeOf(layout.spool(build));
  if (size === null) return "absent";
  return size === record.size ? "fetched" : "partial";
}
