import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { noticeId } from "../../src/core/notices.ts";
import { deployRecordSchema } from "../../src/schema/deploy_record.ts";
import { conductorPath, deploysPath } from "../../src/store/paths.ts";
import { childrenOf, readChildren } from "../../src/store/records.ts";
import { readTold } from "../../src/store/told.ts";
import { eventually } from "../harness/eventually.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withSeed } from "../harness/fleet_random.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import type { Site } from "../harness/site.ts";
import { tempDir } from "../harness/tempdir.ts";

/*
 * Who is told what becomes of deploys, by real agents of which whoever conducts is killed again and again.
 */

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** Each takes some seconds, since a conductor that is killed is missed only when its session is over. */
const DEPLOYS = Number(process.env["DEPLOYD_TEST_DEPLOYS"] ?? 6);
const KEY = "what only we and they know";
const good: readonly Site[] = [{ id: "v1" }, { id: "v2" }];
const bad: Site = { id: "bad", page: "sick", checkDeadlineS: 1 };

/** Somebody's server, which may kill whoever tells it something, before it answers or when it has. */
class Listener implements AsyncDisposable {
  readonly heard: { readonly id: string; readonly isGenuine: boolean }[] = [];
  readonly killedAt = new Set<string>();
  /** How many more events come before the one that is its sender's last; null where none is. */
  next: { after: number; readonly isAnswered: boolean } | null = null;
  kill: () => Promise<void> = () => Promise.resolve();
  readonly #server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.#hear(request) });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/deploys`;
  }

  async #hear(request: Request): Promise<Response> {
    const body = await request.text();
    const id = request.headers.get("x-deployd-event") ?? "";
    const signed = `${request.headers.get("x-deployd-timestamp")}.${body}`;
    const hex = createHmac("sha256", KEY).update(signed).digest("hex");
    const isGenuine = request.headers.get("x-deployd-signature") === `sha256=${hex}`;
    this.heard.push({ id, isGenuine: isGenuine && (JSON.parse(body) as { id: string }).id === id });
    const { next } = this;
    if (next === null || (next.after -= 1) >= 0) return new Response();
    this.next = null;
    this.killedAt.add(id);
    // Whoever hears the answer is a little too late to keep it, or has kept it and is killed all the same.
    if (next.isAnswered) void this.kill();
    else await this.kill();
    return new Response();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

/** What agent.toml says of the listener, and the files that it names. */
async function section(directory: string, { url }: Listener): Promise<string> {
  const files = { url: join(directory, "ops.url"), key: join(directory, "ops.key") };
  await writeFile(files.url, `${url}\n`, { mode: 0o600 });
  await writeFile(files.key, `${KEY}\n`, { mode: 0o600 });
  return `[notify.ops]\nurl_file = "${files.url}"\nkey_file = "${files.key}"`;
}

/** kill -9 for the agent that conducts; another one is started in its place. */
async function killConductor(fleet: Fleet): Promise<void> {
  await using zk = fleet.client();
  const [first] = (await childrenOf(zk, conductorPath)).toSorted((a, b) => (a.slice(-10) < b.slice(-10) ? -1 : 1));
  const name = new TextDecoder().decode((await zk.get(`${conductorPath}/${first}`)).data);
  const host = fleet.hosts.find((each) => each.name === name);
  await host?.kill();
  await host?.start();
}

/** What must have been told, by the deploys' own records, in order. */
async function happened(fleet: Fleet): Promise<Map<string, string[]>> {
  await using zk = fleet.client();
  const records = await readChildren(zk, deploysPath("web"), deployRecordSchema, () => {});
  return new Map(
    [...records].map(([deploy, { value }]) => [
      deploy,
      (value.telling?.notices ?? []).map((notice) => noticeId("web", deploy, notice)),
    ]),
  );
}

async function allAreKept(fleet: Fleet): Promise<boolean> {
  const all = await happened(fleet);
  await using zk = fleet.client();
  const told = await readTold(zk, "web", "ops", [...all.keys()]);
  return [...all].every(([deploy, ids]) => told.get(deploy) === ids.length);
}

test(
  "in deploys of which the conductors are killed no event is lost, and one is told again only where its sender was killed",
  () =>
    withSeed(async (random) => {
      await using directory = await tempDir();
      await using listener = new Listener();
      const bottom = await section(directory.path, listener);
      const host = () => ({ bottom, sessionTimeoutS: 2 });
      await withFleet({ hosts: 3, zookeeper: zookeeper.connectString, host }, async (fleet) => {
        listener.kill = () => killConductor(fleet);
        for (const site of [...good, bad]) await fleet.addSite(site);
        await fleet.ok("services", "set", "web", "--notify", "ops", "--max", "3", "--soak-s", "0");
        for (let number = 0; number < DEPLOYS; number += 1) {
          listener.next = { after: Math.floor(random() * 2), isAnswered: random() < 0.5 };
          const isBad = number % 5 === 4;
          const build = isBad ? bad.id : (good[number % 2]?.id ?? "");
          const { code } = await fleet.ctl("deploy", "web", build, "--why", `number ${number}`);
          expect(code).toBe(isBad ? 3 : 0);
          if (!isBad) continue;
          expect((await fleet.ctl("rollback", "web")).code).toBe(0);
          await fleet.ok("builds", "unbar", "web", bad.id);
        }
        await eventually(() => allAreKept(fleet));

        const all = await happened(fleet);
        expect(all.size).toBe(DEPLOYS);
        const first = [...new Set(listener.heard.map(({ id }) => id))];
        for (const [deploy, ids] of all) expect(first.filter((id) => id.includes(`/${deploy}/`))).toEqual(ids);
        expect(first).toHaveLength([...all.values()].flat().length);
        expect(listener.heard.every(({ isGenuine }) => isGenuine)).toBe(true);

        const again = listener.heard.map(({ id }) => id).filter((id, at, ids) => ids.indexOf(id) < at);
        expect(again.filter((id) => !listener.killedAt.has(id))).toEqual([]);
        expect(listener.killedAt.size).toBeGreaterThan(DEPLOYS / 2);
        const kinds = new Set(first.map((id) => id.replace(/^.*\/\d+-/, "")));
        expect(kinds).toEqual(new Set(["started", "done", "halted", "rolling-back", "rolled-back"]));
        console.log(
          `${DEPLOYS} deploys, ${listener.killedAt.size} conductors killed: ${first.length} events, 0 lost, ${again.length} told again`,
        );
      });
    }),
  TEST_MS,
);

test(
  "a conductor whose agent.toml lacks a target says so by its name, and leaves what is to be told to the next one",
  async () => {
    await using directory = await tempDir();
    await using listener = new Listener();
    const bottom = await section(directory.path, listener);
    const host = (name: string) => ({ sessionTimeoutS: 2, ...(name === "web-2" ? { bottom } : {}) });
    await withFleet({ hosts: 2, zookeeper: zookeeper.connectString, host, started: false }, async (fleet) => {
      const [lacking, knowing] = [fleet.host(1), fleet.host(2)];
      await fleet.ok("services", "set", "web", "--notify", "ops", "--max", "2", "--soak-s", "0");
      await lacking.start();
      await eventually(async () => (await lacking.output()).includes("this agent conducts now"));
      await knowing.start();
      await fleet.addSite({ id: "v1" });
      const { stdout } = await fleet.ok("services", "show", "web");
      expect(stdout).toContain("notify ops");
      await eventually(async () => {
        const { hosts } = await fleet.json<{ hosts: { connected: boolean }[] }>("hosts", "list", "web");
        return hosts.filter(({ connected }) => connected).length === 2;
      });
      await fleet.ok("deploy", "web", "v1");
      const said = 'Cannot tell "ops" what becomes of "web"';
      const ready = await eventually(async () => {
        const text = await (await fetch(`${await lacking.statusUrl()}/readyz`)).text();
        return text.includes(said) ? text : null;
      });
      expect(ready).toContain("agent.toml of this host has no [notify.ops]");
      expect(listener.heard).toEqual([]);

      await lacking.kill();
      await eventually(() => allAreKept(fleet));
      expect(listener.heard.map(({ id }) => id.replace(/^.*\//, ""))).toEqual(["1-started", "2-done"]);
      const outputs = `${await lacking.output()}${await knowing.output()}`;
      expect(outputs).not.toContain(listener.url);
      expect(outputs).not.toContain(KEY);
    });
  },
  TEST_MS,
);
