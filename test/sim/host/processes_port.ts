import type { Processes } from "../../../src/machine/processes.ts";
import type { SimFront } from "./front.ts";
import type { Ground } from "./ground.ts";
import type { Life } from "./life.ts";
import type { SimProcess } from "./process_table.ts";

/** Between a marker and the part that tells one command from the others. */
const MARKER_PART = "#";
const TICK_MS = 10;

export interface ProcessGround {
  readonly ground: Ground;
  readonly front: SimFront;
  /** The host's clock on the wall. */
  readonly wallMs: () => number;
}

/** The process table as one agent sees it. */
export function processesOf(life: Life, { ground, front, wallMs }: ProcessGround): Processes {
  const { processes, time } = ground;
  // The kernel knows how long ago it was, and the clock on the wall may have been set since.
  const startedAtMs = (process: SimProcess): number =>
    Math.floor((wallMs() - (time.nowMs - process.startedAtMs)) / TICK_MS) * TICK_MS;
  return {
    of: ({ root, uid, mains }) =>
      life.look(() => {
        const family = new Set([
          ...mains,
          ...mains.flatMap((pid) => descendants(processes.all(), pid).map((each) => each.pid)),
        ]);
        const isOurs = ({ pid, facts }: SimProcess): boolean => uid === null || facts.uid === uid || family.has(pid);
        return processes
          .ofService(root)
          .filter(isOurs)
          .map((process) => {
            const { pid, parent, startTicks, release, facts } = process;
            const { uid, instance, startedFor = null } = facts;
            return { pid, parent, startedAtMs: startedAtMs(process), startTicks, uid, release, instance, startedFor };
          });
      }),
    fact: (pid) =>
      life.look(() => {
        const process = processes.get(pid);
        if (process === null) return null;
        return { startTicks: process.startTicks, startedAtMs: startedAtMs(process), uid: process.facts.uid };
      }),
    kill: (pid, signal) =>
      life.act("signal", `${signal} to process ${pid}`, () => processes.signal(pid, signal), undefined),
    descendants: (pid) => life.look(() => descendants(processes.all(), pid)),
    listens: (pid) => life.look(() => typeof processes.get(pid)?.port === "number"),
    openConnections: (pids) => life.look(() => pids.reduce((sum, pid) => sum + front.openOf(pid), 0)),
    endMarked: async (marker) => endMarked(life, ground, marker),
  };
}

/** @returns how many there were */
export function endMarked(life: Life, { processes }: Ground, marker: string): number {
  const isMarked = (word: string | null | undefined): boolean =>
    word === marker || word?.startsWith(`${marker}${MARKER_PART}`) === true;
  const groups = new Set(
    processes
      .all()
      .filter(({ facts }) => isMarked(facts.marker) || isMarked(facts.shellMarker))
      .map(({ group }) => group),
  );
  const marked = processes.all().filter(({ group }) => groups.has(group));
  if (marked.length === 0) return 0;
  const end = (): number => {
    for (const process of marked) process.end({ kind: "signalled", signal: "SIGKILL" });
    return marked.length;
  };
  return life.act("signal", `end ${marked.length} processes marked ${marker}`, end, 0);
}

function descendants(all: readonly SimProcess[], root: number): { pid: number; parent: number; startTicks: number }[] {
  const found: SimProcess[] = [];
  for (let parents = new Set([root]); parents.size > 0;) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map(({ pid }) => pid));
  }
  return found.map(({ pid, parent, startTicks }) => ({ pid, parent, startTicks }));
}
