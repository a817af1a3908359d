import { raw } from "hono/html";
import { timelineSvg } from "../view/timeline_svg.ts";
import { failedLines, gapLines, markLines, slowLines, type ToldTimeline } from "../view/timeline_words.ts";
import type { KeptTimeline } from "../watch/fleet_feed.ts";
import { Lines } from "./lines.tsx";

/** How the hosts went from state to state, as a picture with its words. */
export function DeployTimeline({
  kept,
  of,
}: {
  readonly kept: KeptTimeline;
  readonly of: Omit<ToldTimeline, "timeline">;
}) {
  if (kept.kind === "unread") return <p class="dim">Its timeline could not be read now.</p>;
  if (kept.kind === "none")
    return <p class="dim">No timeline was kept of it: no agent of this version conducted while it was under way.</p>;
  const { timeline } = kept;
  const told = { ...of, timeline };
  const more = [slowLines(timeline), failedLines(timeline)].filter((lines) => lines.length > 0);
  return (
    <section>
      <h2>Hosts over time</h2>
      <div class="picture">{raw(timelineSvg(told, "hosts-over-time"))}</div>
      <Lines lines={[...markLines(timeline), ...gapLines(timeline)]} />
      {more.map((lines) => (
        <Lines lines={lines} />
      ))}
    </section>
  );
}
