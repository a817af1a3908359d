import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { eventually } from "../harness/eventually.ts";
import { APP_PROGRAM } from "./app.ts";
import type { Load } from "./load.ts";
import { packDirectory } from "../harness/real_time.ts";

/*
 * A host that runs the product, driven as an operator would: by `deployd ctl`. Where that is, is somebody else's
 * business.
 */

export const ZOOKEEPER = "127.0.0.1:2181";
export const STATUS = "127.0.0.1:9876";
/** Run from the repository: an in-memory ZooKeeper at that address. */
export const ZOOKEEPER_PROGRAM =
  'import { systemClock } from "./src/support/clock.ts"; import { startDevServer } from "./src/zookeeper/server/dev_server.ts"; await startDevServer({ clock: systemClock, port: 2181 });';
const START_MS = 30_000;
const DEPLOY_S = 120;

const rollSection = z.looseObject({
  instances: z.int(),
  /** Connections that were open when their copy was stopped. */
  closed: z.int().nullable(),
  refused: z.int().nullable(),
  forced: z.array(z.string()),
  phaseMs: z.record(z.string(), z.number()),
});
const statusDocument = z.looseObject({
  services: z.array(z.looseObject({ status: z.looseObject({ restart: rollSection.nullish() }) })),
});

/** What the agent says its last restarts cost. */
type ToldRoll = z.output<typeof rollSection>;

export interface RolledOnce {
  /** What `deployd ctl deploy` took: the roll, and all around it. */
  readonly deployMs: number;
  /** By the agent's own account; null where no agent rolled. */
  readonly told: ToldRoll | null;
}

export interface DrivenHost {
  ctl(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }>;
  /** A directory for builds: where it is for this test, and for the host. */
  readonly builds: { readonly here: string; readonly there: string };
  readonly recipe: string;
  /** The body of the status port's JSON. */
  status(): Promise<string>;
  /** The end of all logs, for the message of a failure. */
  account(): Promise<string>;
}

/** Waits until the agent follows its wish, and brings the first build, v0, to life. */
export async function bringUp(host: DrivenHost): Promise<void> {
  await eventually(async () => (await host.ctl("services", "set", "web", "--soak-s", "0.2")).code === 0, START_MS);
  await eventually(async () => (await host.ctl("hosts", "list", "web")).output.includes("box"), START_MS);
  await deploy(host, await addBuild(host, "v0"));
}

/** The builds v1, v2, … one after the other, each a roll of all copies. */
export async function rollUnderLoad(
  host: DrivenHost,
  loads: readonly Load[],
  rolls: number,
): Promise<readonly RolledOnce[]> {
  const rolled: RolledOnce[] = [];
  for (let number = 1; number <= rolls; number += 1) {
    const build = await addBuild(host, `v${number}`);
    for (const load of loads) await load.begin(build);
    const startedAt = performance.now();
    await deploy(host, build);
    const deployMs = Math.round(performance.now() - startedAt);
    for (const load of loads) await load.end();
    const told = statusDocument.parse(JSON.parse(await host.status())).services[0]?.status.restart ?? null;
    rolled.push({ deployMs, told });
  }
  return rolled;
}

/** @param flaw code that the service begins with */
export async function addBuild(host: DrivenHost, build: string, flaw = ""): Promise<string> {
  const tree = join(host.builds.here, build);
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, "app.mjs"), `${flaw}\n${await readFile(APP_PROGRAM, "utf8")}`);
  await writeFile(join(tree, "build.txt"), `${build}\n`);
  await writeFile(join(tree, "deployd.toml"), host.recipe);
  const archive = `${build}.tar.zst`;
  await packDirectory({ dir: tree, out: join(host.builds.here, archive) });
  const url = `file://${join(host.builds.there, archive)}`;
  await ok(host, "builds", "add", "web", join(host.builds.here, archive), "--build", build, "--url", url);
  return build;
}

async function deploy(host: DrivenHost, build: string): Promise<void> {
  await ok(host, "deploy", "web", build, "--timeout-s", String(DEPLOY_S), "--why", "a test");
}

async function ok(host: DrivenHost, ...args: string[]): Promise<void> {
  const { code, output } = await host.ctl(...args);
  if (code === 0) return;
  throw new Error(`"deployd ctl ${args.join(" ")}" exited with ${code}. It printed:\n${output}`);
}
