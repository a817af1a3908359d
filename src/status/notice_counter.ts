import { Counter, type Registry } from "prom-client";
import { noticeResults, type NoticeResult } from "../core/notices.ts";

/** Counts what this agent has told the targets of its file; all series exist, with 0, from the start. */
export function noticeCounter(
  registry: Registry,
  targets: readonly string[],
): (target: string, result: NoticeResult) => void {
  const counter = new Counter({
    name: "deployd_notifications_total",
    help: "Events that this agent, as the conductor, has told a target, by what came of it.",
    labelNames: ["target", "result"],
    registers: [registry],
  });
  for (const target of targets) for (const result of noticeResults) counter.inc({ target, result }, 0);
  return (target, result) => counter.inc({ target, result });
}
