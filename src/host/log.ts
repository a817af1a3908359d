import pino from "pino";
import { redact } from "../support/redact.ts";

type Level = "debug" | "info" | "warn" | "error";

/** The log of a program under a service manager: a line of JSON for each thing that happens, on its output. */
export function openLog(
  host: string,
  level: Level,
): (level: Level, message: string, facts: Record<string, unknown>) => void {
  const logger = pino({ level, base: { host } });
  return (level, message, facts) => logger[level](facts, redact(message));
}
