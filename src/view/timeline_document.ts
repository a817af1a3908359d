import { endOf } from "./timeline_scale.ts";
import type { ToldTimeline } from "./timeline_words.ts";

/** A timeline for programs, its samples one by one. */
export function timelineFields({ deploy, record, timeline }: ToldTimeline) {
  const { startedAtMs, samples, gaps, marks, marksLeftOut, slowest, failed } = timeline;
  return {
    deploy,
    build: record.build,
    state: record.state,
    started: new Date(startedAtMs).toISOString(),
    duration_s: inSeconds(endOf(timeline)),
    samples: samples.map(({ atMs, counts }) => ({ at_s: inSeconds(atMs), hosts: counts })),
    gaps: gaps.map(({ fromMs, toMs }) => ({ from_s: inSeconds(fromMs), to_s: inSeconds(toMs) })),
    marks: marks.map(({ atMs, state, stage }) => ({ at_s: inSeconds(atMs), state, stage })),
    ...(marksLeftOut === 0 ? {} : { marks_left_out: marksLeftOut }),
    slowest: slowest.map(({ host, ms, partsMs }) => ({
      host,
      seconds: inSeconds(ms),
      parts_s: Object.fromEntries(Object.entries(partsMs).map(([part, each]) => [part, inSeconds(each)])),
    })),
    failed,
  };
}

function inSeconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
