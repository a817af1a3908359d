import { afterEach, beforeEach, expect, test } from "bun:test";
import type { BetweenServices } from "../../src/schema/between_services.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { addBuild } from "../../src/store/builds.ts";
import { abort } from "../../src/store/change_deploy.ts";
import { readDeploy } from "../../src/store/deploys.ts";
import { readGate } from "../../src/store/gate.ts";
import { holdHost, releaseHost } from "../../src/store/hold_host.ts";
import { agentPath, deployPath, statusPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { registerHost } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { startDeploy } from "../../src/store/start_deploy.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { NOW, Site, statusOf } from "../store/site.ts";
import { FakeHost, Outage } from "./fake_host.ts";
import { conductAt } from "./running.ts";

/** Who is out for whatever service. */
class Machines extends Outage {
  /** The machines that went out of service for one service while they were for another. */
  readonly twice: string[] = [];

  override begins(host: string): void {
    if (this.out.has(host)) this.twice.push(host);
    super.begins(host);
  }
}

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;
let machines: Machines;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree");
  stack = new AsyncDisposableStack();
  machines = new Machines();
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

/** The services web and db, of which each may have two hosts out at once, with what they heed of each other. */
async function services(web: BetweenServices, db: BetweenServices): Promise<void> {
  const limits = { max: 2, budget: 0, soakMs: 0 };
  for (const name of ["web", "db"]) await setService(site.zk, name, limits);
  for (const build of ["v1", "v2"]) {
    const digest = `sha256:${"0".repeat(63)}${build.slice(1)}` as const;
    await addBuild(site.zk, "db", build, { url: `file:///${build}.tar.gz`, digest, size: 1, time: NOW.toISOString() });
  }
  await setService(site.zk, "web", { between: web });
  await setService(site.zk, "db", { between: db });
}

function conduct(): AsyncDisposable {
  return stack.use(conductAt(site.connectString));
}

async function startHost(name: string, service = "web"): Promise<FakeHost> {
  const { connectString } = site;
  return stack.use(await FakeHost.start(name, { connectString, outage: machines, service }));
}

/** A host that says this of a service, and nothing else ever. */
async function still(name: string, service: string, word: Partial<HostStatus>): Promise<void> {
  await registerHost(site.zk, service, name);
  const agent = { version: "0", bootId: "b", statusAddress: null, pid: 1, since: NOW.toISOString() };
  if ((await site.zk.exists(agentPath(name))) === null)
    await site.zk.create(agentPath(name), encode(agent), { mode: "ephemeral" });
  await site.zk.create(statusPath(service, name), encode(statusOf(word)));
}

async function deploy(service: string, id: string, build: string): Promise<void> {
  const rest = { who: "me", why: "", limits: {}, now: new Date() };
  await startDeploy(site.zk, { service, id, build, ...rest });
}

const stateOf = async (service: string, id: string) => (await readDeploy(site.zk, service, id)).record.state;
const gateOf = async (service: string) => {
  const read = await readGate(site.zk, service);
  if (read === null) throw new Error(`there is no gate of "${service}"`);
  return read.gate;
};
const holders = async (service: string): Promise<string[]> => [...(await gateOf(service)).slots.keys()];

/** The conductor has decided about the service twice since: a host of it was held, and was given back. */
async function rounds(service: string, host: string): Promise<void> {
  await holdHost(site.zk, { service, host, who: "me", why: "", clock: systemClock });
  await eventually(async () => (await gateOf(service)).holds.has(host));
  await releaseHost(site.zk, service, host);
  await eventually(async () => !(await gateOf(service)).holds.has(host));
}

const ready = (deploy: string): Partial<HostStatus> => ({
  wish: { build: "v1", deploy },
  step: "ready",
  build: "v0",
  health: "healthy",
});

test("a service that is not deployed while another is waits until that one's deploy is over, whoever conducts", async () => {
  await services({ notWhile: ["db"] }, {});
  const conductor = conduct();
  await deploy("db", "db1", "v1");
  await still("x", "db", ready("db1"));
  await eventually(async () => (await stateOf("db", "db1")) === "rolling");
  const hosts = [await startHost("a"), await startHost("b")];
  await still("spare", "web", {});
  await deploy("web", "web1", "v1");
  await rounds("web", "spare");
  await conductor[Symbol.asyncDispose]();
  conduct();
  await rounds("web", "spare");
  expect([await holders("web"), await stateOf("web", "web1")]).toEqual([[], "preparing"]);
  expect(hosts.map(({ build }) => build)).toEqual([null, null]);
  const serving = statusOf({ wish: { build: "v1", deploy: "db1" }, step: "serving", build: "v1", health: "healthy" });
  await site.zk.set(statusPath("db", "x"), encode(serving));
  await eventually(async () => (await stateOf("db", "db1")) === "done");
  await eventually(() => hosts.every(({ build }) => build === "v1"));
}, 20_000);

test("a service goes by its rules also where one of its own deploys cannot be read", async () => {
  await services({ notWhile: ["db"] }, {});
  await deploy("db", "db1", "v1");
  await still("x", "db", ready("db1"));
  conduct();
  await eventually(async () => (await stateOf("db", "db1")) === "rolling");
  await deploy("web", "web1", "v1");
  await site.zk.create(deployPath("web", "old"), "{");
  const host = await startHost("a");
  await still("spare", "web", {});
  await rounds("web", "spare");
  expect([await holders("web"), host.build]).toEqual([[], null]);
  await abort(site.zk, { service: "db", who: "me", why: "", now: NOW });
  await eventually(() => host.build === "v1");
});

test("a service that comes after another waits for that one's deploy from its beginning", async () => {
  await services({ after: ["db"] }, {});
  conduct();
  // Nobody is ready for it.
  await still("x", "db", {});
  await deploy("db", "db1", "v1");
  const host = await startHost("a");
  await still("spare", "web", {});
  await deploy("web", "web1", "v1");
  await rounds("web", "spare");
  expect([await holders("web"), await stateOf("db", "db1")]).toEqual([[], "preparing"]);
  await abort(site.zk, { service: "db", who: "me", why: "", now: NOW });
  await eventually(() => host.build === "v1");
}, 20_000);

test("services that are not deployed while each other are both deployed, one after the other", async () => {
  await services({ notWhile: ["db"] }, { notWhile: ["web"] });
  conduct();
  conduct();
  const hosts = await Promise.all(["a", "b", "c"].map(async (name) => startHost(name)));
  const others = await Promise.all(["x", "y", "z"].map(async (name) => startHost(name, "db")));
  const both = new Set<string>();
  const stop = new AbortController();
  const watching = (async () => {
    while (!stop.signal.aborted) {
      const [web, db] = [await holders("web"), await holders("db")];
      // What was read later may be newer: only who holds a slot before and after is known to have held one meanwhile.
      const webStill = (await holders("web")).filter((host) => web.includes(host));
      if (webStill.length > 0 && db.length > 0) both.add(`${webStill.join()} and ${db.join()}`);
    }
  })();
  await Promise.all([deploy("web", "web1", "v1"), deploy("db", "db1", "v1")]);
  for (const [service, id] of [
    ["web", "web1"],
    ["db", "db1"],
  ] as const)
    await eventually(async () => (await stateOf(service, id)) === "done");
  stop.abort();
  await watching;
  expect([...hosts, ...others].every(({ build }) => build === "v1")).toBe(true);
  expect([...both]).toEqual([]);
}, 30_000);

test("a machine is never out of service for two services at once where one of them says so", async () => {
  await services({ exclusive: true }, {});
  conduct();
  conduct();
  const names = ["a", "b", "c", "d"];
  const hosts = await Promise.all(names.flatMap((name) => [startHost(name)]));
  const others = await Promise.all(names.map(async (name) => startHost(name, "db")));
  for (const build of ["v1", "v2"]) {
    await Promise.all([deploy("web", `web-${build}`, build), deploy("db", `db-${build}`, build)]);
    for (const service of ["web", "db"])
      await eventually(async () => (await stateOf(service, `${service}-${build}`)) === "done");
  }
  expect([...hosts, ...others].every(({ build }) => build === "v2")).toBe(true);
  expect(machines.twice).toEqual([]);
}, 30_000);

test("without such a rule two services of one machine go on whatever the other does", async () => {
  await services({}, {});
  conduct();
  await deploy("db", "db1", "v1");
  await still("a", "db", ready("db1"));
  await eventually(async () => (await holders("db")).length === 1);
  const host = await startHost("a");
  await deploy("web", "web1", "v1");
  await eventually(() => host.build === "v1");
  expect(await holders("db")).toEqual(["a"]);
});

test("a host that is held for one service is not taken out of service for another that is exclusive", async () => {
  await services({ exclusive: true }, {});
  conduct();
  await still("a", "db", {});
  await holdHost(site.zk, { service: "db", host: "a", who: "me", why: "", clock: systemClock });
  await eventually(async () => (await gateOf("db")).holds.has("a"));
  const [held, free] = [await startHost("a"), await startHost("b")];
  await deploy("web", "web1", "v1");
  await eventually(() => free.build === "v1");
  await still("spare", "web", {});
  await rounds("web", "spare");
  expect(held.build).toBeNull();
  await releaseHost(site.zk, "db", "a");
  await eventually(() => held.build === "v1");
}, 20_000);
