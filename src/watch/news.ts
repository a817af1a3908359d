import { newestDeploy } from "../view/deploy.ts";
import { outcomeOf } from "../view/deploy_events.ts";
import { newsLines } from "../view/news_lines.ts";
import { span } from "../view/spans.ts";
import { ServerClock } from "../view/server_clock.ts";
import type { ServiceLook } from "../view/service_rows.ts";
import { Story } from "../view/story.ts";
import { oneLine } from "../view/words.ts";
import type { Event } from "../view/service_seen.ts";
import { watchedService, WatchedServices, type Watched } from "./watched.ts";

/** What the monitor watches: the service that was named, or all. */
export function monitored(service: string | undefined): Watched<readonly ServiceLook[]> {
  if (service === undefined) return new WatchedServices();
  const one = watchedService(service);
  return { ...one, read: async (zk) => [{ service, overview: await one.read(zk) }] };
}

/** An event, and of which service it tells. */
export interface ServiceEvent extends Event {
  readonly service: string;
}

/** Tells what is new with each reading, and what time it is by ZooKeeper's clock. */
export class ServiceNews {
  readonly #stories = new Map<string, { readonly deploy: string; readonly story: Story }>();
  readonly #clock = new ServerClock();

  /** @param now by the reader's own clock */
  see(services: readonly ServiceLook[], now: Date): { readonly aheadMs: number; readonly events: ServiceEvent[] } {
    for (const look of services) if ("overview" in look) this.#clock.see(look.overview, now);
    const at = this.#clock.at(now);
    const events = services.flatMap((look) => this.#eventsOf(look, at, services.length > 1));
    return { aheadMs: at.getTime() - now.getTime(), events };
  }

  #eventsOf(look: ServiceLook, at: Date, isNamed: boolean): ServiceEvent[] {
    const view = "overview" in look ? newestDeploy(look.overview) : null;
    if (view === null) return [];
    const known = this.#stories.get(look.service);
    const told = known?.deploy === view.id ? known : { deploy: view.id, story: new Story() };
    this.#stories.set(look.service, told);
    const head = isNamed ? [span(`${oneLine(look.service)}: `, "dim")] : [];
    return told.story
      .tell(view, outcomeOf(view, "wait"), at)
      .flatMap((news) => newsLines(news).slice(0, 1))
      .map((line) => ({ at: at.toISOString(), service: look.service, line: [...head, ...line] }));
  }
}
