import type { Terminal } from "../support/terminal.ts";
import { newReplay, replayAfter, type ReplayMessage } from "../monitor/replay.ts";
import { replayScreen } from "../monitor/replay_screen.ts";
import type { ToldTimeline } from "../view/timeline_words.ts";
import { TerminalLoop } from "./terminal_loop.ts";
import type { Ctl } from "./verb.ts";

/** As often as frames are drawn. */
const TICK_MS = 100;

/** Plays a timeline on a terminal until somebody quits. */
export async function replayOn(terminal: Terminal, ctl: Ctl, told: ToldTimeline, speed: number): Promise<void> {
  const { clock } = ctl.process;
  const quitting = new AbortController();
  let replay = newReplay(told, speed, terminal.size(), clock.monotonicMs());
  const take = (message: ReplayMessage): boolean => {
    const after = replayAfter(replay, message);
    ({ replay } = after);
    if (after.effect === "quit") quitting.abort();
    if (after.effect === "suspend") loop.suspend();
    if (after.effect === "redraw") loop.redraw();
    return message.kind !== "tick";
  };
  const loop = new TerminalLoop<ReplayMessage>(terminal, ctl, {
    take,
    cells: () => replayScreen(replay),
    nowMs: () => clock.monotonicMs(),
    tickMs: TICK_MS,
  });
  try {
    await loop.run(AbortSignal.any([ctl.signal, quitting.signal]));
  } finally {
    loop.close();
  }
}
