import type { Model } from "../../src/monitor/model.ts";
import { seenIn } from "../../src/view/service_seen.ts";
import type { FleetSeen } from "../../src/watch/fleet_feed.ts";

/** What a page would be made of at a moment of the monitor. */
export function fleetAt(model: Model): FleetSeen {
  const { services, nowMs, aheadMs } = model;
  const link =
    model.link.kind === "away"
      ? { ...model.link, sinceMs: services.length === 0 ? null : model.link.sinceMs }
      : model.link;
  const seen = services.flatMap((look) =>
    "overview" in look ? [[look.service, seenIn(look.overview, null, new Date(nowMs))] as const] : [],
  );
  const service = services[0]?.service ?? "web";
  return {
    link,
    services,
    seen: new Map(seen),
    events: model.events.map((event) => ({ ...event, service })),
    aheadMs,
    reading: services.length === 0 ? 0 : 1,
  };
}
