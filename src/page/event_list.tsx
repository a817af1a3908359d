import type { ServiceEvent } from "../watch/news.ts";
import { clockTime } from "../view/times.ts";
import { Phrase } from "./lines.tsx";

const MOST_SHOWN = 60;

/** What has happened since somebody began to look, the newest first. */
export function EventList({ events }: { readonly events: readonly ServiceEvent[] }) {
  if (events.length === 0) return <p class="dim">None yet. Events are told from when somebody opens this page on.</p>;
  return (
    <ol class="events">
      {events
        .toReversed()
        .slice(0, MOST_SHOWN)
        .map(({ at, line }) => (
          <li>
            <time datetime={at}>{clockTime(new Date(at))}</time> <Phrase line={line} />
          </li>
        ))}
    </ol>
  );
}
