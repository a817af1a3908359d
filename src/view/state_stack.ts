import type { HostState } from "../schema/host_state.ts";

/** From left to right, or from the bottom to the top, as a deploy takes hosts from one state to the next. */
export const STACK: readonly (readonly [HostState, string])[] = [
  ["done", "█"],
  ["soaking", "▓"],
  ["restarting", "▒"],
  ["going back", "↺"],
  ["ready", "░"],
  ["preparing", "-"],
  ["held", "‖"],
  ["leaving", "»"],
  ["waiting", "·"],
  ["idle", "·"],
  ["unreachable", "?"],
  ["failed", "✗"],
];

/** The cells that stand for the hosts in one state. */
interface StackPart {
  readonly state: HostState;
  readonly character: string;
  cells: number;
}

/**
 * Shares cells out among the states that hosts are in. Nobody's state vanishes for being rare: each that there is has one
 * cell at least, and the others share what is left; where there are more states than cells, the worst are those that show.
 *
 * @param cells for all hosts together
 */
export function stackOf(of: (state: HostState) => number, cells: number): StackPart[] {
  const there = STACK.map(([state, character]) => ({ state, character, hosts: of(state) })).filter(
    ({ hosts }) => hosts > 0,
  );
  const all = there.reduce((sum, { hosts }) => sum + hosts, 0);
  const isRare = ({ hosts }: { readonly hosts: number }): boolean => hosts * cells < all;
  const rare = there.filter(isRare).length;
  const common = there.filter((part) => !isRare(part));
  const ofCommon = common.reduce((sum, { hosts }) => sum + hosts, 0);
  let before = 0;
  // Ends are rounded, not lengths, so that nothing jumps where one state overtakes another.
  const endOfPart = (hosts: number): number => Math.round((hosts / ofCommon) * Math.max(0, cells - rare));
  const parts = there.map((part): StackPart => {
    const { state, character, hosts } = part;
    if (isRare(part)) return { state, character, cells: 1 };
    const own = endOfPart(before + hosts) - endOfPart(before);
    before += hosts;
    return { state, character, cells: own };
  });
  return fitted(parts, cells);
}

/** Who has none gets one from who has most; where there are too many, the least bad go. */
function fitted(parts: readonly StackPart[], cells: number): StackPart[] {
  const shown = parts.slice(Math.max(0, parts.length - cells)).map((part) => ({ ...part }));
  for (const part of shown) part.cells = Math.max(1, part.cells);
  const sum = (): number => shown.reduce((total, part) => total + part.cells, 0);
  for (let over = sum() - cells; over > 0; over -= 1) {
    const most = shown.toSorted((a, b) => b.cells - a.cells)[0];
    if (most !== undefined) most.cells -= 1;
  }
  return shown;
}
