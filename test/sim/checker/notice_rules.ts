import { noticeId } from "../../../src/core/notices.ts";
import { deployPath, toldPath } from "../../../src/store/paths.ts";
import type { DeployRecord } from "../../../src/schema/deploy_record.ts";
import type { Told } from "../../../src/schema/told.ts";
import { TARGET, type Reception } from "../host/listener.ts";
import type { Ledger } from "./ledger.ts";
import type { NodeChange, TreeView } from "./tree_view.ts";

/** An agent that was stopped for longer than anything here lasts might send what others have told since. */
const LONG_TOLD_MS = 60_000;

/** What became of a deploy, and what the target knows of it. */
interface Happened {
  readonly deploy: string;
  readonly number: number;
  readonly receptions: Reception[];
  isGivenUp: boolean;
  toldAtMs: number | null;
}

/** Holds the fleet to telling what becomes of its deploys: all of it, in order, and again only where nobody knew better. */
export class NoticeRules {
  readonly #tree: TreeView;
  readonly #ledger: Ledger;
  readonly #nowMs: () => number;
  readonly #happened = new Map<string, Happened>();

  constructor(tree: TreeView, ledger: Ledger, nowMs: () => number) {
    this.#tree = tree;
    this.#ledger = ledger;
    this.#nowMs = nowMs;
  }

  committed(changes: readonly NodeChange[]): void {
    const { chroot, service } = this.#tree;
    for (const { id, record } of this.#tree.deploys.values())
      if (changes.some(({ path }) => path === chroot + deployPath(service, id))) this.#happens(id, record);
    for (const { path, data } of changes) {
      const deploy = path.slice(path.lastIndexOf("/") + 1);
      if (path !== chroot + toldPath(service, deploy) || data === null) continue;
      this.#told(deploy, JSON.parse(data) as Told);
    }
  }

  received(reception: Reception): void {
    const { event, host, life, isGenuine } = reception;
    const known = this.#happened.get(event);
    if (known === undefined) return this.#ledger.broken("told", `${host} tells of ${event}, which never happened`);
    if (!isGenuine) this.#ledger.broken("told", `what ${host} tells of ${event} is not signed as it should be`);
    const missing = this.#of(known.deploy).find(
      ({ number, receptions, isGivenUp }) => number < known.number && receptions.length === 0 && !isGivenUp,
    );
    if (missing !== undefined) this.#ledger.broken("told", `${host} tells of ${event} before ${missing.number}`);
    const [once] = known.receptions;
    if (once !== undefined) {
      if (known.receptions.some((each) => each.life === life && each.isAnswered))
        this.#ledger.broken("told", `${host} tells of ${event} again, though it was answered`);
      if (known.toldAtMs !== null && this.#nowMs() - known.toldAtMs > LONG_TOLD_MS)
        this.#ledger.broken("told", `${host} tells of ${event}, which was told long ago`);
      if (once.life !== life) this.#ledger.reached("an event told once more by another conductor");
    }
    known.receptions.push(reception);
  }

  /** What nobody was told, in words; empty when everything was. */
  untold(): string[] {
    return [...this.#happened]
      .filter(([, { receptions, isGivenUp, deploy }]) => {
        return receptions.length === 0 && !isGivenUp && this.#tree.deploys.has(deploy);
      })
      .map(([event]) => event);
  }

  #happens(deploy: string, record: DeployRecord): void {
    for (const notice of record.telling?.notices ?? []) {
      const event = noticeId(this.#tree.service, deploy, notice);
      const { number } = notice;
      if (this.#happened.has(event)) continue;
      this.#happened.set(event, { deploy, number, receptions: [], isGivenUp: false, toldAtMs: null });
    }
  }

  #told(deploy: string, { targets }: Told): void {
    const { upTo = 0, givenUp = [] } = targets[TARGET] ?? {};
    for (const each of this.#of(deploy)) {
      if (each.number > upTo) continue;
      each.toldAtMs ??= this.#nowMs();
      if (givenUp.includes(each.number)) each.isGivenUp = true;
      if (each.receptions.length === 0 && !each.isGivenUp)
        this.#ledger.broken("told", `event ${each.number} of ${deploy} is kept as told, and nobody was`);
    }
  }

  #of(deploy: string): Happened[] {
    return [...this.#happened.values()].filter((each) => each.deploy === deploy);
  }
}
