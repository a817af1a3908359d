import type { NoticeResult } from "../core/notices.ts";
import type { Network } from "../machine/network.ts";
import type { ServiceMirror } from "../store/mirror.ts";
import { Troubles } from "../store/troubles.ts";
import { onAbort } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import type { Session } from "../zookeeper/session.ts";
import type { NotifyTarget } from "./notice_request.ts";
import { NotifyLane } from "./notify_lane.ts";

/** How long what is under way may take when the agent ends. */
const LAST_WORDS_MS = 3_000;

export interface NotifyingOptions {
  readonly session: Pick<Session, "client">;
  readonly clock: Clock;
  readonly log: (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;
  readonly troubles: Troubles;
  /** Where a target is. @throws DeployError where this host cannot tell it anything */
  readonly target: (name: string) => Promise<NotifyTarget>;
  readonly post: Network["post"];
  /** Called with what came of telling a target something. */
  readonly onNoticed: (target: string, result: NoticeResult) => void;
}

/**
 * Tells targets what becomes of deploys while this agent conducts, beside its rounds, which wait for none of it. It lives
 * as long as the agent: what was sent at the end of one term is kept in the next, and not sent again.
 */
export class Notifying implements AsyncDisposable {
  readonly #options: NotifyingOptions;
  /** By service and target. */
  readonly #lanes = new Map<string, Map<string, NotifyLane>>();
  readonly #running: Promise<void>[] = [];
  readonly #stop = new AbortController();
  readonly #cut = new AbortController();
  readonly #refusals: Troubles;
  #term: AbortSignal | null = null;

  constructor(options: NotifyingOptions) {
    this.#options = options;
    this.#refusals = new Troubles(options.log);
  }

  /** This agent conducts until the signal is aborted. */
  begin(term: AbortSignal): void {
    this.#term = term;
    this.#forget();
    onAbort(term, () => {
      if (this.#term === term) this.#forget();
    });
  }

  /** Nothing is told of other services any more. */
  keep(services: ReadonlySet<string>): void {
    for (const [service, lanes] of this.#lanes)
      if (!services.has(service)) for (const lane of lanes.values()) lane.forget();
  }

  /** The conductor has read a service. */
  saw({ service, settings, deploys }: Pick<ServiceMirror, "service" | "settings" | "deploys">): void {
    const named = settings?.notify ?? [];
    const lanes = this.#lanes.get(service);
    if (named.length === 0 && lanes === undefined) return;
    const tellable = [...deploys.values()]
      .filter(({ record }) => record.telling !== undefined)
      .toSorted((a, b) => (a.czxid < b.czxid ? -1 : 1));
    for (const name of named)
      this.#lane(service, name).offer(tellable.filter(({ record }) => record.telling?.targets.includes(name)));
    // Who is not named any more is told nothing more.
    for (const [name, lane] of lanes ?? []) if (!named.includes(name)) lane.offer([]);
  }

  /** Begins nothing more, and gives what is under way a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(LAST_WORDS_MS, () => {
      this.#cut.abort();
      resolve();
    });
    // Who waits for a ZooKeeper that is away ends with the session.
    await Promise.race([Promise.all(this.#running), late]);
    cancel();
  }

  #forget(): void {
    for (const lanes of this.#lanes.values()) for (const lane of lanes.values()) lane.forget();
  }

  #lane(service: string, name: string): NotifyLane {
    const lanes = this.#lanes.get(service) ?? new Map<string, NotifyLane>();
    this.#lanes.set(service, lanes);
    const known = lanes.get(name);
    if (known !== undefined) return known;
    const lane = new NotifyLane({
      ...this.#options,
      service,
      name,
      refusals: this.#refusals,
      isElected: () => this.#term?.aborted === false,
      stop: this.#stop.signal,
      cut: this.#cut.signal,
    });
    lanes.set(name, lane);
    this.#running.push(lane.run());
    return lane;
  }
}
