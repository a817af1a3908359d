import { writeSync } from "node:fs";
import pino from "pino";
import { printableJson } from "../support/printable.ts";
import { redact } from "../support/redact.ts";

type Level = "debug" | "info" | "warn" | "error";

const STDOUT = 1;

/** The log of a program under a service manager: a line of JSON for each thing that happens, on its output. */
export function openLog(
  host: string,
  level: Level,
): (level: Level, message: string, facts: Record<string, unknown>) => void {
  const logger = pino({ level, base: { host } }, { write });
  return (level, message, facts) => logger[level](facts, redact(message));
}

/** Not through a stream: that fails for good with its first error, and takes a program with it that does not listen. */
function write(line: string): void {
  // Read in a terminal as often as by a program.
  const bytes = Buffer.from(printableJson(line));
  try {
    for (let from = 0; from < bytes.length;) from += writeSync(STDOUT, bytes, from);
  } catch {
    // A file on a full disk, or nobody reads any more: the line is lost, and what it tells of goes on.
  }
}
