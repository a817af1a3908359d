import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** How the service behaves when it has to go; app.mjs does it. */
export interface AppManners {
  /** Whether it lets its clients go when it is told to. */
  readonly cooperates: boolean;
  readonly stop: "graceful" | "abrupt";
}

export const APP_PROGRAM = join(import.meta.dir, "app.mjs");
/** How long it takes before it listens. */
const BOOT_MS = 1_000;

/** The copies on the host. The line protocol of each has the port of its HTTP and this much. */
export const INSTANCES = [8081, 8082, 8083, 8084].map((port, index) => ({ name: String(index + 1), port }));
/** Where clients connect to. */
export const FRONT_PORT = 8080;

export function appEnvironment({ cooperates, stop }: AppManners): Record<string, string> {
  return { BOOT_MS: String(BOOT_MS), COOPERATE: cooperates ? "1" : "0", STOP: stop };
}

const event = z.object({
  at: z.number(),
  event: z.string(),
  instance: z.string(),
  build: z.string(),
  pid: z.int(),
});
export type AppEvent = z.output<typeof event>;

/** What happened to the copies so far: told, resumed, stopping, ended, listening. */
export async function readEvents(file: string): Promise<AppEvent[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => event.parse(JSON.parse(line)));
}
