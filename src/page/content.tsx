import type { Child } from "hono/jsx";
import { isRunning } from "../core/deploy_state.ts";
import { hostsWith } from "../view/host_state.ts";
import { hostLines } from "../view/host_lines.ts";
import { pastDeploy } from "../view/history.ts";
import { byServersClock, type PastRecord } from "../view/overview.ts";
import { serviceRows } from "../view/service_rows.ts";
import type { ServiceSeen } from "../view/service_seen.ts";
import { oneLine } from "../view/words.ts";
import { serversTime, type FleetSeen, type KeptTimeline } from "../watch/fleet_feed.ts";
import { hrefOf, type PageAddress } from "./address.ts";
import { DeployTimeline } from "./deploy_timeline.tsx";
import { EventList } from "./event_list.tsx";
import { HostList } from "./host_list.tsx";
import { Freshness } from "./freshness.tsx";
import { Lines } from "./lines.tsx";
import { PastDeployFacts, PastDeploys } from "./past_deploys.tsx";
import { ServicePart } from "./service_part.tsx";

/** What one page says now. Its parts are sent anew one by one, each when it has changed. */
export interface Content {
  readonly title: string;
  readonly isThere: boolean;
  readonly parts: readonly Part[];
}

interface Part {
  readonly id: "link" | "body" | "hosts" | "events" | "past" | "timeline";
  readonly content: Child;
}

/** So many of the deploys before are listed. */
const MOST_PAST = 12;

/** @param timeline of the deploy that the page is about, where one was kept */
export function contentOf(
  address: PageAddress,
  fleet: FleetSeen,
  nowMs: number,
  timeline: KeptTimeline = { kind: "unread" },
): Content {
  const now = serversTime(fleet, nowMs);
  const { title, isThere = true, parts } = about(address, fleet, now, timeline);
  const link: Part = { id: "link", content: <Freshness link={fleet.link} nowMs={nowMs} /> };
  return { title, isThere, parts: [link, ...parts] };
}

interface About extends Pick<Content, "title" | "parts"> {
  readonly isThere?: boolean;
}

function about(address: PageAddress, fleet: FleetSeen, now: Date, timeline: KeptTimeline): About {
  if (address.kind === "fleet") return wholeFleet(fleet, now);
  const { service } = address;
  const seen = fleet.seen.get(service);
  if (seen === undefined) return { title: oneLine(service), ...missing(fleet, service) };
  switch (address.kind) {
    case "service":
      return oneService(seen, fleet, address.filter, now);
    case "host":
      return oneHost(seen, address.host, fleet, now);
    case "deploy":
      return oneDeploy(seen, address.deploy, now, timeline);
  }
}

function wholeFleet(fleet: FleetSeen, now: Date): About {
  const rows = serviceRows(fleet.services, now);
  const parts = rows.map((row) => {
    const seen = fleet.seen.get(row.service);
    if (seen !== undefined) return <ServicePart seen={seen} now={now} isLink />;
    return <Trouble service={row.service} problem={row.kind === "trouble" ? row.problem : ""} />;
  });
  const none = <p class="dim">No services yet. Make one with: deployd ctl services set NAME</p>;
  return {
    title: "fleet",
    parts: [
      { id: "body", content: <>{parts.length === 0 && fleet.link.kind === "fresh" ? none : parts}</> },
      { id: "events", content: <Events events={fleet.events} /> },
    ],
  };
}

function oneService(seen: ServiceSeen, fleet: FleetSeen, filter: string, now: Date): About {
  const { service } = seen.overview;
  const hosts = hostsWith(seen.hosts, filter);
  const word = seen.view === null ? "" : ` ${seen.view.record.build} ${seen.view.record.state}`;
  return {
    title: `${oneLine(service)}${word}`,
    parts: [
      { id: "body", content: <ServicePart seen={seen} now={now} isLink={false} /> },
      {
        id: "hosts",
        content: (
          <section>
            <h2>
              Hosts{" "}
              <span class="dim">{filter === "" ? seen.hosts.length : `${hosts.length} of ${seen.hosts.length}`}</span>
            </h2>
            {hosts.length === 0 && filter !== "" ? (
              <p class="dim">
                No host has “{filter}” in its name, zone, role, state or build.{" "}
                <a href={hrefOf({ kind: "service", service, filter: "" })}>Show all</a>
              </p>
            ) : (
              <HostList service={service} hosts={hosts} now={now} />
            )}
          </section>
        ),
      },
      { id: "events", content: <Events events={fleet.events.filter((each) => each.service === service)} /> },
      {
        id: "past",
        content: (
          <PastDeploys
            service={service}
            deploys={seen.overview.deploys
              .toSorted((a, b) => b.madeAtMs - a.madeAtMs || (a.id < b.id ? 1 : -1))
              .slice(0, MOST_PAST)
              .map((each) => asPast(each, now))}
          />
        ),
      },
    ],
  };
}

function oneHost(seen: ServiceSeen, host: string, fleet: FleetSeen, now: Date): About {
  const found = seen.hosts.find((each) => each.host === host);
  const { service } = seen.overview;
  if (found === undefined)
    return {
      title: oneLine(host),
      isThere: false,
      parts: [{ id: "body", content: <p>{`${oneLine(host)} is not a host of ${oneLine(service)}.`}</p> }],
    };
  const events = fleet.events.filter(
    (each) => each.service === service && each.line.some(({ text }) => text.includes(host)),
  );
  return {
    title: `${oneLine(host)} of ${oneLine(service)}`,
    parts: [
      { id: "body", content: <Lines lines={hostLines(seen, found, now)} /> },
      { id: "events", content: <Events events={events} /> },
      {
        id: "past",
        content: (
          <p class="dim">
            All its logs: <code>{`deployd ctl logs ${service} ${oneLine(host)}`}</code>
          </p>
        ),
      },
    ],
  };
}

function oneDeploy(seen: ServiceSeen, deploy: string, now: Date, timeline: KeptTimeline): About {
  const { overview, view } = seen;
  const found = overview.deploys.find(({ id }) => id === deploy);
  if (found === undefined) {
    const said = `No deploy ${oneLine(deploy)} of ${oneLine(overview.service)} is on record; the last 50 are kept.`;
    return { title: oneLine(deploy), isThere: false, parts: [{ id: "body", content: <p>{said}</p> }] };
  }
  const past = asPast(found, now);
  const isNow = view?.id === deploy && isRunning(found.record);
  return {
    title: `${oneLine(overview.service)} ${past.record.build} ${past.record.state}`,
    parts: [
      {
        id: "body",
        content: (
          <>
            {isNow ? <ServicePart seen={seen} now={now} isLink={false} /> : null}
            <PastDeployFacts deploy={past} />
          </>
        ),
      },
      {
        id: "timeline",
        content: <DeployTimeline kept={timeline} of={{ service: overview.service, deploy, record: past.record }} />,
      },
    ],
  };
}

function asPast({ out, ...deploy }: PastRecord, now: Date) {
  return pastDeploy({ id: deploy.id, record: byServersClock(deploy.record, deploy) }, out, now);
}

function missing({ services, link }: FleetSeen, service: string): Omit<About, "title"> {
  const look = services.find((each) => each.service === service);
  if (look !== undefined && "problem" in look)
    return { parts: [{ id: "body", content: <Trouble service={service} problem={look.problem} /> }] };
  if (link.kind !== "fresh") return { parts: [{ id: "body", content: <p class="dim">Nothing was read yet.</p> }] };
  return { isThere: false, parts: [{ id: "body", content: <p>{`There is no service ${oneLine(service)}.`}</p> }] };
}

function Trouble({ service, problem }: { readonly service: string; readonly problem: string }) {
  return (
    <section class="service">
      <h2>
        <span class="bad">✗ </span>
        {oneLine(service)}
      </h2>
      <p class="bad">{oneLine(problem)}</p>
    </section>
  );
}

function Events({ events }: Parameters<typeof EventList>[0]) {
  return (
    <section>
      <h2>Events</h2>
      <EventList events={events} />
    </section>
  );
}
