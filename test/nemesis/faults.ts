import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FleetHost } from "../harness/fleet_host.ts";
import { Conductor, CONDUCTED, type Conducted } from "./conductor.ts";
import { cutOff, joinAgain, setCable } from "./network.ts";
import { SERVICE, SESSION_S, type Scene } from "./scene.ts";

/** One thing that goes wrong; it is over when this resolves. */
type Fault = (scene: Scene, random: () => number, tell: (text: string) => void) => Promise<void>;

/** Sometimes longer than a session lasts. */
const DISTURBANCE_MS = SESSION_S * 1_000 * 2;

const FAULTS: Readonly<Record<string, Fault>> = {
  "agents killed": async ({ fleet }, random, tell) => {
    for (let left = 1 + Math.floor(random() * 3); left > 0; left -= 1) {
      const host = any(fleet.hosts, random);
      tell(host.name);
      await host.kill();
    }
  },
  "agent frozen": async ({ fleet }, random, tell) => {
    const host = any(fleet.hosts, random);
    tell(host.isUp ? host.name : `nobody, as ${host.name} is down`);
    if (!host.isUp) return;
    host.freeze();
    await Bun.sleep(random() * DISTURBANCE_MS);
    host.thaw();
  },
  "agents of half the fleet frozen until their sessions have expired": async ({ fleet }, random, tell) => {
    const hosts = fleet.hosts.filter(({ isUp }) => isUp && random() < 0.5);
    tell(hosts.map(({ name }) => name).join(", "));
    for (const host of hosts) host.freeze();
    await Bun.sleep(SESSION_S * 1_000 + 1_000);
    for (const host of hosts) host.thaw();
  },
  "conductor killed": async (scene, random, tell) => {
    await using conductor = await Conductor.watch(scene);
    const step: Conducted = any(CONDUCTED, random);
    const host = await conductor.at(step);
    tell(host === null ? `nobody, as there was no ${step}` : `${host.name}, at ${step}`);
    await host?.kill();
  },
  "leader killed": async ({ ensemble }, random, tell) => {
    const server = (await ensemble.leader()) ?? any(ensemble.servers, random);
    tell(server.name);
    await server.kill();
    await Bun.sleep(random() * 1_500);
    server.start();
    await server.serving();
  },
  "server frozen": async ({ ensemble }, random, tell) => {
    const server = any(ensemble.servers, random);
    tell(server.name);
    server.freeze();
    await Bun.sleep(random() * 4_000);
    server.thaw();
  },
  "majority frozen": async ({ ensemble }, random, tell) => {
    const [first, second] = ensemble.servers;
    tell(`${first?.name} and ${second?.name}`);
    first?.freeze();
    second?.freeze();
    await Bun.sleep(random() * 2_500);
    first?.thaw();
    second?.thaw();
  },
  "server's cable pulled": async ({ ensemble }, random, tell) => {
    const server = any(ensemble.servers, random);
    tell(server.name);
    await setCable(server.place, "down");
    await Bun.sleep(random() * DISTURBANCE_MS);
    await setCable(server.place, "up");
  },
  "host cut off": async (scene, random, tell) => {
    const host = any(scene.fleet.hosts, random);
    const direction = random() < 0.5 ? "output" : "input";
    tell(`${host.name}, ${direction}`);
    await cutOff(scene.place(host), direction);
    await Bun.sleep(random() * DISTURBANCE_MS);
    await joinAgain(scene.place(host));
  },
  "disk full": async ({ fleet }, random, tell) => {
    const host = any(fleet.hosts, random);
    tell(host.name);
    const path = await fill(host);
    await Bun.sleep(random() * 4_000);
    await rm(path);
  },
};

/** Breaks things one after the other until the signal is aborted; whatever lasts for a while is whole again by then. */
export async function breakThings(
  scene: Scene,
  random: () => number,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const done = new Map<string, number>();
  while (!signal.aborted) {
    const name = any(Object.keys(FAULTS), random);
    await FAULTS[name]?.(scene, random, (text) => scene.chronicle.tell(`! ${name}: ${text}`));
    scene.chronicle.tell(`! ${name}: over`);
    done.set(name, (done.get(name) ?? 0) + 1);
    await Bun.sleep(100 + random() * 900);
  }
  return done;
}

/** Starts agents that are down, whoever has killed them, after a while. */
export async function bootAgain(scene: Scene, random: () => number, signal: AbortSignal): Promise<void> {
  const dueMs = new Map<FleetHost, number>();
  while (!signal.aborted) {
    for (const host of scene.fleet.hosts) {
      if (host.isUp) dueMs.delete(host);
      else if (!dueMs.has(host)) {
        scene.chronicle.tell(`agent of ${host.name} is dead`);
        dueMs.set(host, Date.now() + absenceMs(random));
      } else if (Date.now() >= (dueMs.get(host) ?? 0)) await scene.boot(host);
    }
    await Bun.sleep(50);
  }
}

/** Some are away for so long that they count as lost: for two sessions and more. */
function absenceMs(random: () => number): number {
  const sessionMs = SESSION_S * 1_000;
  return random() < 0.35 ? (2.5 + 2 * random()) * sessionMs : random() * sessionMs;
}

async function fill({ dir }: FleetHost): Promise<string> {
  const path = join(dir, "srv", `${SERVICE}-filler`);
  await using file = await open(path, "w");
  const block = Buffer.alloc(256 * 1024);
  try {
    for (;;) await file.write(block);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
  return path;
}

function any<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to choose from");
  return item;
}
