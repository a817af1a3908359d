/** The rooms of production code that the rehearsal is there for. */
export const ROOMS = ["agent", "store", "steps"] as const;

export type Room = (typeof ROOMS)[number];

export interface Reached {
  readonly reached: number;
  readonly lines: number;
}

/** Lines of each room that were reached, from the text of an lcov file. */
export function reachedIn(lcov: string): Record<Room, Reached> {
  const counts: Record<Room, Reached> = {
    agent: { reached: 0, lines: 0 },
    store: { reached: 0, lines: 0 },
    steps: { reached: 0, lines: 0 },
  };
  let room: Room | undefined;
  for (const line of lcov.split("\n")) {
    const file = /^SF:(?:.*\/)?src\/([a-z]+)\//.exec(line);
    if (line.startsWith("SF:")) room = ROOMS.find((each) => each === file?.[1]);
    const hits = /^DA:\d+,(\d+)/.exec(line)?.[1];
    if (room === undefined || hits === undefined) continue;
    const { reached, lines } = counts[room];
    counts[room] = { reached: reached + (hits === "0" ? 0 : 1), lines: lines + 1 };
  }
  return counts;
}
