import { z } from "zod";
import { timestamp } from "./names.ts";
import { nearest, type Parsed } from "./problems.ts";

/*
 * When deploys may start: in the windows that the operators have set, and not while they have frozen the service. A record
 * keeps a window as it was typed, `mon-fri 09:00-17:00 Europe/Berlin`.
 */

/** In the order of Date.prototype.getUTCDay. */
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A time of every week in which deploys may start. */
export interface DeployWindow {
  /** The days on which it begins, from Monday on. */
  readonly days: readonly Weekday[];
  /** When it begins and ends, in minutes from midnight. Where it ends before it begins, it does so on the next day. */
  readonly fromMinute: number;
  /** At most 1440, midnight at the end of the day. */
  readonly toMinute: number;
  /** As the IANA's database names it. */
  readonly timeZone: string;
}

const DAY_MINUTES = 1440;
/** The database has none longer than 32 characters. What is much longer is no slip, and takes long to compare with all. */
const LONGEST_ZONE = 64;
const FROM_MONDAY: readonly Weekday[] = [...WEEKDAYS.slice(1), "sun"];

/** The day of the week of a time that is read as UTC. */
export function weekdayOf(ms: number): Weekday {
  return WEEKDAYS[new Date(ms).getUTCDay()] ?? "sun";
}

/** Reads `DAYS FROM-TO ZONE`; days are names, ranges of them, lists of both, or `daily`. */
export function readWindow(text: string): Parsed<DeployWindow> {
  const [days, hours, timeZone, ...rest] = text.trim().split(/\s+/);
  if (days === undefined || hours === undefined || timeZone === undefined || rest.length > 0) {
    return wrong("days, hours and a time zone are required, as in mon-fri 09:00-17:00 Europe/Berlin");
  }
  const begins = readDays(days);
  if (!begins.ok) return begins;
  const minutes = readHours(hours);
  if (!minutes.ok) return minutes;
  const problem = timeZoneProblem(timeZone);
  if (problem !== null) return wrong(problem);
  return { ok: true, value: { days: begins.value, ...minutes.value, timeZone } };
}

function wrong(problem: string): { ok: false; problems: string[] } {
  return { ok: false, problems: [problem] };
}

function readDays(text: string): Parsed<Weekday[]> {
  const named = text.toLowerCase();
  if (named === "daily") return { ok: true, value: [...FROM_MONDAY] };
  const found = new Set<Weekday>();
  for (const part of named.split(",")) {
    const [first = "", last = first, ...rest] = part.split("-");
    const [from, to] = [first, last].map((name) => FROM_MONDAY.findIndex((day) => day === name));
    if (from === undefined || to === undefined || from < 0 || to < 0 || rest.length > 0) {
      return wrong(`"${part}" is no day: ${FROM_MONDAY.join(", ")}, a range as in mon-fri, or daily is required`);
    }
    // A range may go over the end of the week, as in sat-mon.
    const length = ((to - from + 7) % 7) + 1;
    for (const at of Array.from({ length }, (_, i) => (from + i) % 7)) found.add(FROM_MONDAY[at] ?? "mon");
  }
  return { ok: true, value: FROM_MONDAY.filter((day) => found.has(day)) };
}

function readHours(text: string): Parsed<Pick<DeployWindow, "fromMinute" | "toMinute">> {
  const [from = "", to = "", ...rest] = text.split("-");
  if (![from, to].every((time) => /^\d{1,2}:\d{2}$/.test(time)) || rest.length > 0) {
    return wrong(`"${text}" are no hours: a time and a time are required, as in 09:00-17:00`);
  }
  for (const time of [from, to]) if (!isTime(time)) return wrong(`there is no time ${time}`);
  if (minutesOf(from) === DAY_MINUTES) return wrong(`it cannot begin at ${from}, which is 00:00 of the next day`);
  if (minutesOf(from) === minutesOf(to)) {
    return wrong(`it begins and ends at ${from}; a window of the whole day is 00:00-24:00`);
  }
  return { ok: true, value: { fromMinute: minutesOf(from), toMinute: minutesOf(to) || DAY_MINUTES } };
}

function isTime(time: string): boolean {
  return Number(time.split(":")[1]) < 60 && minutesOf(time) <= DAY_MINUTES;
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}

/** Names alone: an offset such as +02:00 would be wrong for half of the year, and nobody would see why. */
function timeZoneProblem(name: string): string | null {
  if (/^[A-Za-z]/.test(name) && isKnownZone(name)) return null;
  const near = name.length > LONGEST_ZONE ? undefined : nearestZone(name);
  const meant = near === undefined ? "a name as in Europe/Berlin or UTC is required" : `did you mean ${near}?`;
  return `"${name}" is no time zone; ${meant}`;
}

function nearestZone(name: string): string | undefined {
  const zones = Intl.supportedValuesOf("timeZone");
  // Without its part of the world, "Berlin" is far from "Europe/Berlin" by edit distance.
  return zones.find((zone) => zone.toLowerCase().endsWith(`/${name.toLowerCase()}`)) ?? nearest(name, zones);
}

function isKnownZone(name: string): boolean {
  try {
    Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The window as `readWindow` reads it. */
export function windowText({ days, fromMinute, toMinute, timeZone }: DeployWindow): string {
  return `${daysText(days)} ${timeText(fromMinute)}-${timeText(toMinute)} ${timeZone}`;
}

function daysText(days: readonly Weekday[]): string {
  if (days.length === FROM_MONDAY.length) return "daily";
  const runs: Weekday[][] = [[]];
  for (const day of FROM_MONDAY) {
    if (days.includes(day)) runs.at(-1)?.push(day);
    else runs.push([]);
  }
  return runs.flatMap((run) => (run.length < 2 ? run : `${run[0]}-${run.at(-1)}`)).join(",");
}

function timeText(minutes: number): string {
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return `${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
}

/** A window as it was typed. */
export const windowSchema = z.string().superRefine((text, context) => {
  const window = readWindow(text);
  if (!window.ok) context.addIssue({ code: "custom", message: window.problems.join("; ") });
});

/** No deploy of the service may start: who said so, why, and until when; without an end until a person unfreezes it. */
export const freezeSchema = z.looseObject({
  who: z.string(),
  why: z.string(),
  time: timestamp,
  until: timestamp.optional(),
});
export type Freeze = z.output<typeof freezeSchema>;
