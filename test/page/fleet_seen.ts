import type { Model } from "../../src/monitor/model.ts";
import type { Overview } from "../../src/view/overview.ts";
import { seenIn } from "../../src/view/service_seen.ts";
import type { FleetSeen } from "../../src/watch/fleet_feed.ts";

/** A fleet of one service. */
export function fleetOf(overview: Overview): FleetSeen {
  const now = new Date("2026-07-01T12:00:00Z");
  return {
    link: { kind: "fresh", readAtMs: now.getTime() },
    services: [{ service: overview.service, overview }],
    seen: new Map([[overview.service, seenIn(overview, null, now)]]),
    events: [],
    aheadMs: 0,
    reading: 1,
  };
}

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
