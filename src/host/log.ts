import { writeSync } from "node:fs";
import pino from "pino";
import { printableJson } from "../support/printable.ts";
import { redact } from "../support/redact.ts";

type Level = "debug" | "info" | "warn" | "error";

const STDOUT = 1;

/** The log of a program under a service manager: one line of JSON per event, on its output. */
export function openLog(
  host: string,
  level: Level,
): (level: Level, message: string, facts: Record<string, unknown>) => void {
  const logger = pino({ level, base: { host } }, { write });
  return (level, message, facts) => logger[level](facts, redact(message));
}

/**
 * Written without a stream: a stream fails for good after its first error, and crashes a program that does not handle it.
 */
function write(line: string): void {
  // Made printable because it is read in a terminal as often as by a program.
  const bytes = Buffer.from(printableJson(line));
  try {
    for (let from = 0; from < bytes.length;) from += writeSync(STDOUT, bytes, from);
  } catch {
    // The file is on a full disk, or nobody reads any more: the line is lost, and the work goes on.
  }
}
