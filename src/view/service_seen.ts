import type { HostState } from "../schema/host_state.ts";
import { lastMovement, newestDeploy, type DeployView } from "./deploy.ts";
import { flowAfter, noFlow, type Flow } from "./flow.ts";
import { countStates, fleetHosts, noOrder, orderOf, type FleetHost, type HostOrder } from "./host_state.ts";
import type { Overview } from "./overview.ts";
import type { SpanLine } from "./spans.ts";
import { serviceSummary, type ServiceSummary } from "./status.ts";

/** One service as the monitor and the page have it: computed with each reading, and drawn many times. */
export interface ServiceSeen {
  readonly overview: Overview;
  readonly head: ServiceSummary;
  readonly view: DeployView | null;
  readonly order: HostOrder;
  readonly hosts: readonly FleetHost[];
  readonly counts: ReadonlyMap<HostState, number>;
  readonly flow: Flow;
  /** When something last happened to the deploy; empty where there is none. */
  readonly moved: string;
}

/** An event in the life of a deploy, as one line. */
export interface Event {
  readonly at: string;
  readonly line: SpanLine;
}

/** @param before of the same service, with what was computed of its last reading */
export function seenIn(overview: Overview, before: ServiceSeen | null, now: Date): ServiceSeen {
  if (before?.overview === overview) return before;
  const view = newestDeploy(overview);
  const order = orderOf(overview.hosts, before?.order ?? noOrder);
  const hosts = fleetHosts(overview, view, order);
  const through = view?.live?.progress.serving.length ?? 0;
  return {
    overview,
    view,
    order,
    head: serviceSummary(overview, now),
    hosts,
    counts: countStates(hosts),
    moved: view === null ? "" : lastMovement(view),
    flow: flowAfter(before?.flow ?? noFlow, view?.id ?? "", through, now.getTime()),
  };
}
