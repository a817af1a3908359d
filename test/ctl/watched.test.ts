import { afterEach, beforeEach, expect, test } from "bun:test";
import { watchedService, WatchedServices } from "../../src/watch/watched.ts";
import { barBuild } from "../../src/store/bar.ts";
import {
  agentPath,
  buildPath,
  canaryPath,
  deployPath,
  gatePath,
  hostPath,
  servicePath,
  slotPath,
  statusPath,
} from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { removeService } from "../../src/store/remove_service.ts";
import { setService } from "../../src/store/services.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { Overview } from "../../src/view/overview.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { rejection } from "../harness/rejection.ts";
import { NOW, Site, slotOf, statusOf } from "../store/site.ts";
import { countingDial, type Asked } from "./counting_dial.ts";

let server: DevServer;
let site: Site;
/** A reader of its own, and what it has asked. */
let reader: ZooKeeper;
let asked: Asked;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock });
  site = await Site.open(server.connectString, "/tree", { max: 2 });
  for (const host of ["a", "b", "c"]) await site.host(host);
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  await site.deploy("d2", "v2");
  const counting = countingDial();
  asked = counting.asked;
  reader = new ZooKeeper({ clock: systemClock, servers: site.connectString, dial: counting.dial });
});
afterEach(async () => {
  await reader.close();
  await site[Symbol.asyncDispose]();
  await server.close();
});

function requests(): string[] {
  return asked.names.splice(0);
}

test("of a service only what has changed is read again", async () => {
  const web = watchedService("web");
  const before = await web.read(reader);
  // The gate before all else: whatever is read after it is at least as new.
  // Since hosts wait for a slot, what may keep them from it is read after that.
  expect(requests()).toEqual(["multiRead", "multiRead", "multiRead", "multiRead", "getChildren2", "getData"]);
  expect(await web.read(reader)).toEqual(before);
  expect(requests()).toEqual([]);

  await site.zk.set(statusPath("web", "a"), encode(statusOf({ step: "serving", build: "v2", health: "healthy" })));
  expect(await web.read(reader)).toEqual(before);
  requests();
  web.mark(statusPath("web", "a"));
  const after = await web.read(reader);
  // The other host still waits.
  expect(requests()).toEqual(["getData", "getChildren2", "getData"]);
  expect([before, after].map(({ statuses }) => statuses.get("a")?.step)).toEqual(["ready", "serving"]);
});

test.each<[string, () => Promise<unknown>, string, (overview: Overview) => unknown]>([
  ["an agent that is gone", () => site.zk.delete(agentPath("a")), agentPath("a"), ({ agents }) => [...agents.keys()]],
  ["settings", () => setService(site.zk, "web", { max: 3 }), servicePath("web"), ({ settings }) => settings.max],
  [
    "a wish",
    () => site.zk.create(canaryPath("web"), "v3"),
    canaryPath("web"),
    ({ wishes, wishTrouble }) => [wishes.canary, wishTrouble?.word],
  ],
  [
    "a host that is gone",
    () => site.zk.delete(hostPath("web", "b")),
    hostPath("web", "b"),
    ({ hosts }) => [...hosts.keys()],
  ],
  [
    "a bar on what the newest deploy would go back to",
    () => barBuild(site.zk, "web", "v1", { who: "me", why: "", time: NOW.toISOString() }),
    buildPath("web", "v1"),
    ({ deploy }) => [...(deploy?.barred ?? [])],
  ],
  [
    "a slot",
    () => site.moves({ kind: "grant", host: "a", slot: slotOf({ deploy: "d2", build: "v2" }) }),
    gatePath("web"),
    ({ deploy }) => Object.keys(deploy?.out.slots ?? {}),
  ],
  [
    "a slot of which only its own node is marked",
    () => site.moves({ kind: "grant", host: "a", slot: slotOf({ deploy: "d2", build: "v2" }) }),
    slotPath("web", "a"),
    ({ deploy }) => Object.keys(deploy?.out.slots ?? {}),
  ],
  [
    "the state of a deploy",
    () => site.state("d2", "halted"),
    deployPath("web", "d2"),
    ({ deploy }) => deploy?.record.state,
  ],
])("what is marked is seen, and before that it was otherwise: %s", async (_what, change, path, of) => {
  const web = watchedService("web");
  const before = of(await web.read(reader));
  await change();
  expect(of(await web.read(reader))).toEqual(before);
  web.mark(path);
  const after = of(await web.read(reader));
  expect(after).not.toEqual(before);
  // All that there is says the same.
  web.markAll();
  expect(of(await web.read(reader))).toEqual(after);
});

test("a host that joins is seen with its agent, which was there before it", async () => {
  const web = watchedService("web");
  await web.read(reader);
  await site.host("d");
  // Nobody can be told apart by what is not known of him.
  web.mark(agentPath("d"));
  web.mark(hostPath("web", "d"));
  web.mark(statusPath("web", "d"));
  const { hosts, agents } = await web.read(reader);
  expect([hosts.has("d"), agents.has("d")]).toEqual([true, true]);
});

test("an overview stays what it was, whatever is read after it", async () => {
  const web = watchedService("web");
  const before = await web.read(reader);
  for (const path of [agentPath("a"), hostPath("web", "a")]) {
    await site.zk.delete(path);
    web.mark(path);
  }
  const after = await web.read(reader);
  expect([before.hosts.has("a"), before.agents.has("a")]).toEqual([true, true]);
  expect([after.hosts.has("a"), after.agents.has("a")]).toEqual([false, false]);
});

test("a service that is removed while it is watched is told with the nearest one", async () => {
  const web = watchedService("web");
  await web.read(reader);
  for (const host of ["a", "b", "c"]) await site.zk.delete(hostPath("web", host));
  for (const host of ["a", "b", "c"]) await site.zk.delete(agentPath(host));
  await site.state("d2", "done");
  await setService(site.zk, "webs", {});
  await removeService(site.zk, "web");
  web.mark(servicePath("web"));
  expect(await rejection(web.read(reader))).toMatchObject({ code: "service-unknown", hint: 'Did you mean "webs"?' });
});

test("of all services those that come and go are seen, and a damaged one hides no other", async () => {
  const all = new WatchedServices();
  const names = async () =>
    (await all.read(reader)).map((look) => `${look.service}${"problem" in look ? " damaged" : ""}`);
  expect(await names()).toEqual(["web"]);
  await setService(site.zk, "api", {});
  all.mark(servicePath("api"));
  expect(await names()).toEqual(["api", "web"]);
  await site.zk.delete(`${servicePath("api")}/enabled`);
  all.mark(`${servicePath("api")}/enabled`);
  expect(await names()).toEqual(["api damaged", "web"]);
  await removeService(site.zk, "api");
  all.mark(servicePath("api"));
  expect(await names()).toEqual(["web"]);
  requests();
  await site.zk.delete(agentPath("a"));
  all.mark(agentPath("a"));
  await all.read(reader);
  expect(requests()).toEqual(["getData"]);
});

test("a reading that a change has overtaken is known for that, and the next one is of one moment", async () => {
  const web = watchedService("web");
  for (const path of web.paths) await reader.addWatch(path, "persistent-recursive", (event) => web.mark(event.path));
  await web.read(reader);
  expect(web.isStale()).toBe(false);
  let answers = 0;
  /** The deploy halts after the gate was read and before the deploys are. */
  const overtaken = new Proxy(reader, {
    get: (zk, name) => {
      const value: unknown = Reflect.get(zk, name, zk);
      if (typeof value !== "function") return value;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        const answer: unknown = await Reflect.apply(value, zk, args);
        answers += 1;
        if (answers === 1) await site.state("d2", "halted");
        return answer;
      };
    },
  });
  web.markAll();
  const seen = await web.read(overtaken);
  expect(seen.deploy?.record.state).toBe("halted");
  expect(web.isStale()).toBe(true);
  await web.read(reader);
  expect(web.isStale()).toBe(false);
});
