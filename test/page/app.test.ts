import { afterEach, beforeEach, expect, test } from "bun:test";
import { pageApp } from "../../src/page/app.ts";
import type { VisitorRules } from "../../src/page/visitors.ts";
import { parseIpNetwork } from "../../src/schema/ip_network.ts";
import { statusPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { systemClock } from "../../src/support/clock.ts";
import { FleetFeed } from "../../src/watch/fleet_feed.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { Site, statusOf } from "../store/site.ts";

let server: DevServer;
let site: Site;
/** Every client that was opened to read the fleet. */
let opened: ZooKeeper[];
let feed: FleetFeed;
const everybody: VisitorRules = { names: ["deploys.example.com"], from: null };

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock });
  site = await Site.open(server.connectString, "/tree", { max: 2 });
  for (const host of ["web-01", "web-02"]) await site.host(host);
  await site.deploy("d1", "v1");
  opened = [];
  feed = feedOf(site.connectString);
});
afterEach(async () => {
  await feed[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await server.close();
});

function feedOf(servers: string, lingerMs = 50): FleetFeed {
  const open = async (signal: AbortSignal): Promise<ZooKeeper> => {
    const client = new ZooKeeper({ clock: systemClock, servers, sessionTimeoutMs: 2_000 });
    opened.push(client);
    signal.addEventListener("abort", () => void client.close(), { once: true });
    try {
      await client.connected({ signal: AbortSignal.any([signal, systemClock.deadline(2_000)]) });
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  };
  return new FleetFeed({ open, clock: systemClock, lingerMs });
}

interface Asking {
  readonly rules?: VisitorRules;
  readonly host?: string;
  readonly peer?: string;
  readonly signal?: AbortSignal;
}

async function ask(path: string, { rules = everybody, host = "127.0.0.1:9876", peer, signal }: Asking = {}) {
  const app = pageApp({ feed, clock: systemClock, version: "0.1.0", rules, hint: "name it in a file" });
  const request = new Request(`http://${host}${path}`, signal === undefined ? {} : { signal });
  return app.fetch(request, peer === undefined ? {} : { peer });
}

/** What a stream tells, until it has told what is wanted. */
async function told(response: Response, isIt: (parts: Record<string, string>) => boolean): Promise<void> {
  const parts: Record<string, string> = {};
  let text = "";
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
    if (done) throw new Error(`the stream has ended, having told: ${JSON.stringify(parts).slice(0, 2_000)}`);
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split("\n").flatMap((line) => (line.startsWith("data: ") ? [line.slice(6)] : []));
      Object.assign(parts, (JSON.parse(data.join("\n")) as { parts: Record<string, string> }).parts);
    }
    if (isIt(parts)) return;
  }
}

test("the fleet, a service, a host and a deploy have a page each, which nothing may be put around or into", async () => {
  for (const [path, said] of [
    ["/", "web"],
    ["/services/web", "web-02"],
    ["/services/web/hosts/web-02", "web-02"],
    ["/services/web/deploys/d1", "v1"],
  ] as const) {
    const response = await ask(path);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(said);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("no-store");
  }
});

test.each([
  "/services/db",
  "/services/web/hosts/web-09",
  "/services/web/deploys/d9",
  "/services/web/other/x",
  "/services/",
])("there is no %s, and a page says so", async (path) => {
  const response = await ask(path);
  expect(response.status).toBe(404);
  expect(response.headers.get("content-type")).toContain("text/html");
});

test("what a page needs is at hand, and nothing else is", async () => {
  const html = await (await ask("/")).text();
  for (const [, path = ""] of html.matchAll(/(?:src|href)="(\/page\.[^"]*)"/g))
    expect((await ask(path)).status).toBe(200);
  expect((await ask("/page.map")).status).toBe(404);
});

test.each([
  ["evil.example", 403],
  ["evil.example:9876", 403],
  ["127.0.0.1.evil.example", 403],
  ["deploys.example.com", 200],
  ["DEPLOYS.example.com:8080", 200],
  ["localhost:9876", 200],
  ["10.0.0.7:9876", 200],
  ["[::1]:9876", 200],
])("a page that is asked for as %s is answered with %i", async (host, code) => {
  for (const path of ["/", "/services/web"]) {
    const response = await ask(path, { host });
    expect(response.status).toBe(code);
    if (code === 403) expect(await response.text()).toContain("is not known by that name");
  }
  if (code === 403) expect((await ask("/events?page=/", { host })).status).toBe(403);
});

test.each([
  ["127.0.0.1", 200],
  ["::1", 403],
  ["::ffff:127.0.0.1", 200],
  ["10.1.2.3", 200],
  ["10.2.0.1", 403],
  [undefined, 403],
])("who comes from %s is answered with %i where only some networks may", async (peer, code) => {
  const from = ["127.0.0.0/8", "10.1.0.0/16"].flatMap((text) => parseIpNetwork(text) ?? []);
  const response = await ask("/", { rules: { names: [], from }, ...(peer === undefined ? {} : { peer }) });
  expect(response.status).toBe(code);
  if (code === 403) expect(await response.text()).toContain("name it in a file");
});

test("what changes is told to whoever looks, the part that has changed alone", async () => {
  const gone = new AbortController();
  const response = await ask("/events?page=/services/web", { signal: gone.signal });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  let wasFirst = false;
  await told(response, (parts) => {
    if (!wasFirst) {
      wasFirst = true;
      expect(Object.keys(parts).toSorted()).toEqual(["body", "events", "hosts", "link", "past"]);
      void site.zk.set(statusPath("web", "web-01"), encode(statusOf({ step: "fetch" })));
    }
    return (parts["hosts"] ?? "").includes("↓ preparing");
  });
  gone.abort();
});

test("what an earlier session has read is shown to nobody", async () => {
  const app = pageApp({ feed, clock: systemClock, version: "0.1.0", rules: everybody, hint: "" });
  const look = async (isIt: (parts: Record<string, string>) => boolean): Promise<void> => {
    const gone = new AbortController();
    const request = new Request("http://127.0.0.1/events?page=/services/web", { signal: gone.signal });
    await told(await app.fetch(request, {}), isIt);
    gone.abort();
  };
  await look((parts) => (parts["hosts"] ?? "").includes("… ready"));
  await eventually(async () => (opened[0]?.state.kind === "closed" ? true : null));
  for (const host of ["web-01", "web-02"])
    await site.zk.set(statusPath("web", host), encode(statusOf({ step: "fetch" })));
  await look((parts) => {
    expect(parts["hosts"]).toContain("↓ preparing");
    return true;
  });
});

test("whoever asks for the head of a stream holds nothing open", async () => {
  const app = pageApp({ feed, clock: systemClock, version: "0.1.0", rules: everybody, hint: "" });
  const response = await app.fetch(new Request("http://127.0.0.1/events?page=/", { method: "HEAD" }), {});
  expect([response.status, opened.length]).toEqual([200, 0]);
});

test("another site's page opens no stream, and a link from there is followed", async () => {
  const app = pageApp({ feed, clock: systemClock, version: "0.1.0", rules: everybody, hint: "" });
  const from = (mode: string) => ({ headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": mode } });
  expect((await app.fetch(new Request("http://127.0.0.1/events?page=/", from("no-cors")), {})).status).toBe(403);
  expect((await app.fetch(new Request("http://127.0.0.1/", from("navigate")), {})).status).toBe(200);
});

test("a stream of no page is refused", async () => {
  expect((await ask("/events?page=elsewhere")).status).toBe(400);
  expect((await ask("/events")).status).toBe(400);
});

test("the fleet is read by one session however many look, and by none when nobody does", async () => {
  const gone = new AbortController();
  const streams = await Promise.all([1, 2, 3].map(() => ask("/events?page=/", { signal: gone.signal })));
  await Promise.all(streams.map((stream) => told(stream, (parts) => (parts["body"] ?? "").includes("web"))));
  await ask("/");
  expect(opened).toHaveLength(1);
  gone.abort();
  await eventually(async () => (opened[0]?.state.kind === "closed" ? true : null));
  expect(await (await ask("/services/web")).text()).toContain("web-01");
  expect(opened).toHaveLength(2);
});

test("while ZooKeeper is away the page says so, and of when it is what is shown", async () => {
  const gone = new AbortController();
  const response = await ask("/events?page=/", { signal: gone.signal });
  let isClosed = false;
  await told(response, (parts) => {
    if (!isClosed) {
      isClosed = true;
      void server.close();
    }
    return (parts["link"] ?? "").includes("ZooKeeper is away") && (parts["link"] ?? "").includes(" old, of ");
  });
  gone.abort();
});

test("where ZooKeeper was never reached, the page says why", async () => {
  await feed[Symbol.asyncDispose]();
  feed = feedOf("127.0.0.1:1");
  const response = await ask("/");
  expect(response.status).toBe(503);
  expect(await response.text()).toContain("ZooKeeper is away");
});

test("a feed that is over ends its streams", async () => {
  const response = await ask("/events?page=/");
  await feed[Symbol.asyncDispose]();
  const ended = await rejection(told(response, () => false));
  expect(String(ended)).toContain("the stream has ended");
});
