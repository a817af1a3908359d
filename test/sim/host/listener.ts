import { createHmac } from "node:crypto";
import type { PostAnswer, PostRequest } from "../../../src/machine/network.ts";
import type { Chance } from "../chance.ts";
import type { Life } from "./life.ts";

/** The name of the target in agent.toml, and the files that it names. */
export const TARGET = "ops";
export const TARGET_URL = { path: "/etc/deployd/ops.url", text: "https://hooks.example/deploys" };
export const TARGET_KEY = { path: "/etc/deployd/ops.key", text: "a key that nobody knows" };

/** Who has sent something: a process, not a host. */
export interface Sender {
  readonly host: string;
  readonly life: Life;
}

/** A notice that has come, and what its sender was told. */
export interface Reception extends Sender {
  readonly event: string;
  readonly isGenuine: boolean;
  /** The sender has heard that it was taken. */
  isAnswered: boolean;
}

type Reply = "taken" | "taken, and nobody hears of it" | "refused" | "silence";

const LONGEST_ANSWER_MS = 400;
/** How often each goes wrong while anything does. */
const ODDS = { refused: 0.06, unheard: 0.06, silence: 0.02, outage: 0.03 };
const LONGEST_OUTAGE = 8;

/** Whom a fleet tells what becomes of its deploys: somebody's server, with a will of its own. */
export class Listener {
  /** Everything that has come, in order. */
  readonly received: Reception[] = [];
  /** Told of each at once. */
  onReceived: (reception: Reception) => void = () => {};
  readonly #chance: Chance;
  #isWell = false;
  /** How many more are sent away. */
  #outage = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  get chance(): Chance {
    return this.#chance;
  }

  /** From now on it takes and answers everything. */
  heal(): void {
    this.#isWell = true;
    this.#outage = 0;
  }

  take(
    sender: Sender,
    { headers, body }: PostRequest,
  ): { readonly reply: Reply; readonly reception: Reception | null } {
    const reply = this.#reply();
    if (reply === "refused" || reply === "silence") return { reply, reception: null };
    const event = headers["x-deployd-event"] ?? "";
    const text = `${headers["x-deployd-timestamp"]}.${body}`;
    const signature = createHmac("sha256", TARGET_KEY.text).update(text).digest("hex");
    const isGenuine = headers["x-deployd-signature"] === `sha256=${signature}`;
    const reception = { ...sender, event, isGenuine, isAnswered: false };
    this.received.push(reception);
    this.onReceived(reception);
    return { reply, reception };
  }

  #reply(): Reply {
    if (this.#isWell) return "taken";
    const chance = this.#chance;
    if (this.#outage > 0) {
      this.#outage -= 1;
      return chance.pick(["refused", "silence"] as const);
    }
    if (chance.happens(ODDS.outage)) this.#outage = chance.between(1, LONGEST_OUTAGE);
    if (chance.happens(ODDS.refused)) return "refused";
    if (chance.happens(ODDS.unheard)) return "taken, and nobody hears of it";
    return chance.happens(ODDS.silence) ? "silence" : "taken";
  }
}

/** A request of an agent, which may be its last effect. */
export async function postTo(
  listener: Listener,
  sender: Sender,
  request: PostRequest,
  signal: AbortSignal,
): Promise<PostAnswer> {
  const { life } = sender;
  const what = `post ${request.headers["x-deployd-event"]}`;
  const { reply, reception } = await life.effect("post", what, () => listener.take(sender, request));
  if (reply === "silence") return new Promise(() => {});
  await life.lookAfter(listener.chance.random() * LONGEST_ANSWER_MS, () => undefined);
  if (reply === "refused") return { kind: "answered", status: 503 };
  if (reply !== "taken") return { kind: "unanswered", why: "the connection failed (ECONNRESET)" };
  // Whoever has waited for too long does not hear it any more.
  if (reception !== null && !signal.aborted) reception.isAnswered = true;
  return { kind: "answered", status: 200 };
}
