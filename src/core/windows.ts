import { readWindow, weekdayOf, windowText, type DeployWindow, type Freeze } from "../schema/windows.ts";
import { clockChange, localTime } from "./local_time.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * How far ahead a window can be: it comes every week, but where it lies in what clocks leave out when they are put forward,
 * it does not come in that week.
 */
const LOOK_AHEAD_MS = 15 * DAY_MS;

/**
 * A window as it is typed: `mon-fri 09:00-17:00 Europe/Berlin`, `sat,sun 22:00-04:00 UTC`, `daily 00:00-24:00 Asia/Kolkata`.
 *
 * @throws Error saying what is wrong with it, for a flag's parser (cli/flags.ts)
 */
export function parseWindow(text: string): DeployWindow {
  const window = readWindow(text);
  if (window.ok) return window.value;
  throw new Error(window.problems.join("; "));
}

/**
 * Windows as they are typed one after the other: `mon-fri 09:00-17:00 Europe/Berlin; sat 10:00-12:00 UTC`, or `none`.
 *
 * @returns each as it was typed
 * @throws Error saying what is wrong with which of them, for a flag's parser (cli/flags.ts)
 */
export function parseWindows(text: string): string[] {
  if (text.trim().toLowerCase() === "none") return [];
  const typed = text.split(";").map((each) => each.trim());
  return typed.filter((each, at) => each !== "" || at < typed.length - 1).map((each) => windowText(parseWindow(each)));
}

/**
 * Whether a deploy may start: whether a clock on the wall of a window's time zone shows a time in that window. So what is
 * shown twice, when clocks are put back, is open twice, and what is never shown, when they are put forward, is not. Without
 * any windows it is always open.
 */
export function isOpen(windows: readonly DeployWindow[], now: Date): boolean {
  return windows.length === 0 || windows.some((window) => covers(window, now.getTime()));
}

function covers({ days, fromMinute, toMinute, timeZone }: DeployWindow, atMs: number): boolean {
  const shown = localTime(timeZone, atMs);
  const minute = Math.floor((shown % DAY_MS) / MINUTE_MS);
  const beginsToday = days.includes(weekdayOf(shown));
  if (fromMinute < toMinute) return beginsToday && minute >= fromMinute && minute < toMinute;
  const beganYesterday = days.includes(weekdayOf(shown - DAY_MS));
  return (beginsToday && minute >= fromMinute) || (beganYesterday && minute < toMinute);
}

/** When a deploy may start next; null where it may now. */
export function nextOpening(windows: readonly DeployWindow[], now: Date): Date | null {
  return isOpen(windows, now) ? null : nextMoment(windows, now, true);
}

/** From when on no deploy may start; null where none may now, or where the windows never close. */
export function closesAt(windows: readonly DeployWindow[], now: Date): Date | null {
  return isOpen(windows, now) ? nextMoment(windows, now, false) : null;
}

function nextMoment(windows: readonly DeployWindow[], now: Date, open: boolean): Date | null {
  const endMs = now.getTime() + LOOK_AHEAD_MS;
  let at = now;
  while (windows.length > 0 && at.getTime() < endMs) {
    const fromMs = at.getTime();
    at = new Date(Math.min(...windows.map((window) => nextEdge(window, fromMs))));
    if (isOpen(windows, at) === open) return at;
  }
  return null;
}

/** The first moment after `atMs` at which the window may open or close; until then it does neither. */
function nextEdge({ fromMinute, toMinute, timeZone }: DeployWindow, atMs: number): number {
  const passed = localTime(timeZone, atMs) % DAY_MS;
  const edges = [fromMinute * MINUTE_MS, toMinute * MINUTE_MS, DAY_MS].filter((edge) => edge > passed);
  const edgeMs = atMs + Math.min(...edges) - passed;
  return clockChange(timeZone, atMs, edgeMs) ?? edgeMs;
}

/** Whether the service is frozen, so that no deploy may start. */
export function isFrozen(freeze: Freeze | null, now: Date): boolean {
  return freeze !== null && (freeze.until === undefined || now.getTime() < new Date(freeze.until).getTime());
}
