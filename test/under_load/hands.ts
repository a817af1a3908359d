import { join } from "node:path";
import { trafficFor } from "../../src/traffic/traffic.ts";
import type { Traffic } from "../../src/traffic/effects.ts";
import type { TrafficSpec } from "../../src/core/traffic.ts";
import { eventually } from "../harness/eventually.ts";
import { killQuietly } from "../harness/fleet_leftovers.ts";
import { portsInside } from "../traffic/inside.ts";
import {
  APP_PROGRAM,
  appEnvironment,
  FRONT_PORT,
  INSTANCES,
  readEvents,
  type AppEvent,
  type AppManners,
} from "./app.ts";
import { nodeProgram } from "./load.ts";
import { startProgram, type Network } from "./network.ts";

/*
 * A service whose copies are restarted by the test itself and not by the agent, with the product's own traffic back
 * ends: what an operator's script would do, right or wrong.
 */

const STEP_MS = 15_000;

/** What a restart by hand is made of, for one instance after the other. */
export interface Hands {
  readonly traffic: Traffic;
  /** All names but this. */
  others(name: string): string[];
  readonly all: readonly string[];
  /** Asks it to let its clients go. */
  tell(name: string): void;
  untilIdle(name: string): Promise<void>;
  /** The same, and goes on after this time if it is not. */
  untilIdleOr(name: string, deadlineMs: number): Promise<void>;
  /** Asks it to end, and waits until it has. */
  stop(name: string): Promise<void>;
  /** Starts it; it takes its time until it listens. */
  start(name: string): Promise<void>;
  untilListening(name: string): Promise<void>;
  events(): Promise<AppEvent[]>;
  /** Runs a program on the host. */
  must(argv: readonly string[], input?: string): Promise<string>;
}

/** Starts all copies and sends traffic to them. `dir` takes the log and what happened. */
export async function takeInHand(
  network: Network,
  dir: string,
  spec: TrafficSpec,
  manners: AppManners,
): Promise<Hands> {
  const { signal } = new AbortController();
  const traffic = trafficFor(spec, "web", INSTANCES, portsInside(network.host), STEP_MS);
  const events = join(dir, "events");
  const pids = new Map<string, number>();
  let started = 0;

  const pidOf = (name: string): number => {
    const pid = pids.get(name);
    if (pid === undefined) throw new Error(`instance ${name} was not started`);
    return pid;
  };
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  const hands: Hands = {
    traffic,
    all: INSTANCES.map(({ name }) => name),
    others: (name) => hands.all.filter((other) => other !== name),
    tell: (name) => killQuietly(pidOf(name), "SIGUSR2"),
    untilIdle: async (name) => {
      await eventually(async () => (await traffic.busy(name, signal)) === 0, STEP_MS);
    },
    untilIdleOr: async (name, deadlineMs) => {
      await eventually(async () => (await traffic.busy(name, signal)) === 0, deadlineMs).catch(() => {});
    },
    stop: async (name) => {
      const pid = pidOf(name);
      killQuietly(pid, "SIGTERM");
      await eventually(() => !isAlive(pid), STEP_MS);
    },
    start: async (name) => {
      const port = String(INSTANCES.find((instance) => instance.name === name)?.port);
      started += 1;
      const env = { ...appEnvironment(manners), BUILD: `b${started}`, PORT: port, INSTANCE: name, EVENTS_FILE: events };
      const program = startProgram(network.host, [nodeProgram(), APP_PROGRAM], { env, log: join(dir, "log") });
      pids.set(name, program.pid);
    },
    untilListening: async (name) => {
      const pid = pidOf(name);
      await eventually(
        async () => (await readEvents(events)).some((event) => event.pid === pid && event.event === "listening"),
        STEP_MS,
      );
    },
    events: () => readEvents(events),
    must: (argv, input) => network.host.must(argv, input),
  };
  for (const name of hands.all) await hands.start(name);
  for (const name of hands.all) await hands.untilListening(name);
  await traffic.steer(hands.all, signal);
  return hands;
}

export const HAND_SPECS = {
  nft: { by: "nft", port: FRONT_PORT },
  iptables: { by: "iptables", port: FRONT_PORT, variant: "auto" },
} as const satisfies Record<string, TrafficSpec>;
