/** "4s", "2m 10s", "3h 05m", "12d": how long, in at most two units. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${pad(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}h ${pad(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}

/** Seconds between two times, for JSON; never negative, since the clocks of two machines are compared. */
export function secondsBetween(from: Date | string, to: Date | string): number {
  return Math.max(0, Math.round((new Date(to).getTime() - new Date(from).getTime()) / 100) / 10);
}

export function ageMs(since: string, now: Date): number {
  return Math.max(0, now.getTime() - new Date(since).getTime());
}

/** "12:03:11", UTC like every time that deployd prints. */
export function clockTime(at: Date): string {
  return at.toISOString().slice(11, 19);
}

/** "2026-07-01 12:03:11Z" */
export function dateTime(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 19)}Z`;
}
