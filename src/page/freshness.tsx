import type { FleetSeen } from "../watch/fleet_feed.ts";
import { clockTime, duration } from "../view/times.ts";

/** Whether what is shown is current, and of when it is. */
export function Freshness({ link, nowMs }: { readonly link: FleetSeen["link"]; readonly nowMs: number }) {
  switch (link.kind) {
    case "connecting":
      return <p class="dim">connecting to ZooKeeper …</p>;
    case "fresh":
      return (
        <p class="dim">
          read at <time datetime={new Date(link.readAtMs).toISOString()}>{clockTime(new Date(link.readAtMs))} UTC</time>
        </p>
      );
    case "away": {
      const since =
        link.sinceMs === null
          ? "Nothing was read yet."
          : `What you see is ${duration(nowMs - link.sinceMs)} old, of ${clockTime(new Date(link.sinceMs))} UTC.`;
      return (
        <p class="banner" role="alert">
          <strong>✗ ZooKeeper is away</strong>: {link.reason.replace(/\.$/, "")}. {since}
        </p>
      );
    }
  }
}
