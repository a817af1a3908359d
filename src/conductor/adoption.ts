import { newDeployId } from "../core/deploy_id.ts";
import { adoptWish } from "../store/adopt.ts";
import type { ServiceMirror } from "../store/mirror.ts";
import { Troubles } from "../store/troubles.ts";
import type { Wish } from "../schema/znodes.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";

interface AdoptionOptions {
  readonly clock: Clock;
  readonly log: (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;
}

/** Gives a wish that was written by hand, with zkCli or by another program, the record of a deploy like any other. */
export class Adoption {
  readonly #options: AdoptionOptions;
  /** Wishes that cannot be followed: the operator's mistake, shown by `ctl status`, and no failure of this agent. */
  readonly #unfollowed: Troubles;

  constructor(options: AdoptionOptions) {
    this.#options = options;
    this.#unfollowed = new Troubles(options.log);
  }

  /** Does nothing where every wish of the service has its record. What was made is read before this returns. */
  async adopt(mirror: ServiceMirror, client: ZooKeeper): Promise<void> {
    const { enabled, canary } = mirror.wishes;
    const isRecorded = (wish: Wish | null): boolean =>
      wish === null ||
      (wish.deploy !== undefined && (mirror.deploys.has(wish.deploy) || mirror.unreadable.deploys.has(wish.deploy)));
    const what = `follow the wish that was written by hand for "${mirror.service}"`;
    if (isRecorded(enabled) && isRecorded(canary)) {
      this.#unfollowed.note(what, null);
      return;
    }
    const { clock, log } = this.#options;
    try {
      const now = new Date(clock.now());
      const id = await adoptWish(client, mirror.service, newDeployId(now, clock.random), now);
      if (id !== null) log("info", "a wish written by hand became a deploy", { service: mirror.service, deploy: id });
    } catch (error) {
      this.#unfollowed.note(what, error);
      return;
    }
    mirror.markAll();
    await mirror.refresh(client);
  }
}
