import { join } from "node:path";
import { z } from "zod";
import { JOINED, type NetworkNamespace } from "../harness/netns.ts";

/*
 * The clients of a variant: 16 that keep their connection, 8 with a new one for each request, 8 slow ones (2 s) with a
 * new one, 4 slow ones that keep it. Half of those that are elsewhere use IPv6.
 */

type ClientName = "keepAlive" | "fresh" | "slow" | "slowKeepAlive" | "webSocket" | "line";
export type Clients = Partial<Record<ClientName, number>>;

export const ORDINARY_CLIENTS: Clients = { keepAlive: 16, fresh: 8, slow: 8, slowKeepAlive: 4 };
/** On the host itself, besides: their connections take another way through the host's rules. */
export const LOCAL_CLIENTS: Clients = { keepAlive: 2, fresh: 2 };

/** At the full pace a roll of 10 s sees about 3,000 requests, which two processors manage beside all the rest. */
const SHORT_PAUSE_MS = { full: [55, 125], half: [110, 250] } as const;
const LONG_PAUSE_MS = [2_000, 4_000];

export type Pace = keyof typeof SHORT_PAUSE_MS;

/** How long it goes on after the last roll. */
const TAIL_MS = 1_000;
/** A load that nobody stops ends by itself. */
const MAX_MS = 240_000;

const classCounts = z.object({
  refused: z.int(),
  stale: z.int(),
  broken: z.int(),
  timeout: z.int(),
  "5xx": z.int(),
  garbled: z.int(),
});
const counts = z.object({
  requests: z.int(),
  ok: z.int(),
  failed: z.int(),
  late: z.int(),
  classes: classCounts,
});
const tally = counts.extend({
  rolls: z.array(counts.extend({ name: z.string(), beganAt: z.number(), endedAt: z.number().nullable() })),
  clients: z.record(z.string(), counts),
  builds: z.record(z.string(), z.int()),
  processes: z.record(z.string(), z.int()),
  worstMs: z.number(),
  samples: z.array(z.object({ at: z.number(), client: z.string(), kind: z.string(), detail: z.string() })),
});
const closing = z.object({ at: z.number(), by: z.string(), process: z.int(), midway: z.boolean() });
const report = z.object({
  startedAt: z.number(),
  endedAt: z.number(),
  /** It ended by itself, before it was told: what came after it was not seen. */
  wasCut: z.literal(false),
  /** The most that the load itself was late. */
  lagMs: z.number(),
  /** WebSockets that the other side closed. */
  closings: z.array(closing),
  http: tally,
  line: tally,
  webSocket: tally,
});

export type FailureClass = keyof z.output<typeof classCounts>;

export type Tally = z.output<typeof tally>;
export type LoadReport = z.output<typeof report>;

export interface LoadTarget {
  readonly host: string;
  readonly port: number;
}

export interface Load extends AsyncDisposable {
  begin(roll: string): Promise<void>;
  end(): Promise<void>;
  /** Lets running requests end, and tells what became of all of them. */
  stop(): Promise<LoadReport>;
}

/** The front port as clients elsewhere reach it. */
export function remoteTargets(port: number): LoadTarget[] {
  return [JOINED.ipv4[0], JOINED.ipv6[0]].map((host) => ({ host, port }));
}

export function localTargets(port: number): LoadTarget[] {
  return [{ host: "127.0.0.1", port }];
}

/** Starts the clients; resolves when every one has been served, or has failed, once. */
export async function startLoad(
  inside: Pick<NetworkNamespace, "start">,
  targets: readonly LoadTarget[],
  clients: Clients,
  pace: Pace = "full",
): Promise<Load> {
  const pauses = { shortPauseMs: SHORT_PAUSE_MS[pace], longPauseMs: LONG_PAUSE_MS };
  const options = JSON.stringify({ targets, clients, ...pauses, tailMs: TAIL_MS, maxMs: MAX_MS });
  const program = inside.start([nodeProgram(), join(import.meta.dir, "load.mjs"), options]);
  const news = async (): Promise<string> => {
    for (;;) {
      const line = await program.line();
      if (line !== "alive") return line;
    }
  };
  if ((await news()) !== "ready") throw new Error("the load is not ready");
  return {
    begin: (roll) => program.say(`begin ${roll}`),
    end: () => program.say("end"),
    stop: async () => {
      await program.say("stop");
      return report.parse(JSON.parse(await news()));
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** As the other tests have it: Node where there is one. */
export function nodeProgram(): string {
  return Bun.which("node") ?? process.execPath;
}
