import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { z } from "zod";
import type { NotifyTarget } from "../../src/conductor/notice_request.ts";
import type { NotifyingOptions } from "../../src/conductor/notifying.ts";
import { postNotice } from "../../src/probe/post_notice.ts";
import { hostNames } from "../../src/host/machine.ts";
import { removeDeploy } from "../../src/store/prune.ts";
import { deployPath, toldPath } from "../../src/store/paths.ts";
import { setService } from "../../src/store/services.ts";
import { removeService } from "../../src/store/remove_service.ts";
import { abort } from "../../src/store/change_deploy.ts";
import { pauseDeploy, resumeDeploy } from "../../src/store/stop_and_go.ts";
import { keepTold, readTold } from "../../src/store/told.ts";
import { clockOf, systemClock, type Clock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { NOW, Site } from "../store/site.ts";
import { conductAt } from "./running.ts";

/*
 * The sender, with a real server that is told and a real tree.
 */

/** A sender that ends gives what is under way a moment. */
const LONG_MS = 30_000;
const KEY = "a key of some length";
const bodySchema = z.strictObject({
  schema: z.literal("deployd.event/1"),
  id: z.string(),
  kind: z.string(),
  service: z.string(),
  build: z.string(),
  previous: z.string().nullable(),
  deploy: z.string(),
  number: z.int(),
  stage: z.string().nullable(),
  who: z.string(),
  why: z.string(),
  state: z.string(),
  at: z.iso.datetime(),
  text: z.string(),
});

/** Somebody's server: what it was told, and what it answers. */
class Listener implements Disposable {
  readonly heard: { readonly id: string; readonly headers: Headers; readonly body: string }[] = [];
  /** Status by how many times anything has come; null for silence. */
  answers: (times: number) => Response | null | Promise<Response> = () => new Response("thank you");
  #times = 0;
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const body = await request.text();
      this.#times += 1;
      const answer = await this.answers(this.#times);
      if (answer === null) return new Promise<Response>(() => {});
      const id = request.headers.get("x-deployd-event") ?? "";
      if (answer.ok) this.heard.push({ id, headers: request.headers, body });
      return answer;
    },
  });

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#server.port}/secret-path?token=abc`);
  }

  get ids(): string[] {
    return this.heard.map(({ id }) => id.replace(/^web\//, ""));
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;
let listener: Listener;
let log: string[];
let noticed: string[];

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree", { max: 2, soakMs: 0, notify: ["ops"] });
  stack = new AsyncDisposableStack();
  listener = stack.use(new Listener());
  log = [];
  noticed = [];
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

const trust = { authorities: () => Promise.resolve(null) };
const target = (): NotifyTarget => ({ url: listener.url, key: KEY, format: "json" });

type Post = NotifyingOptions["post"];
const send: Post = (request, signal) => postNotice(request, signal, { names: hostNames, trust });

function conduct(
  where: NotifyingOptions["target"] = () => Promise.resolve(target()),
  post: Post = send,
  clock: Clock = systemClock,
) {
  return conductAt(site.connectString, {
    log: (level, message, facts) => void log.push(`${level} ${message} ${JSON.stringify(facts)}`),
    notifying: { target: where, post, clock, onNoticed: (name, result) => noticed.push(`${name} ${result}`) },
  });
}

const change = (why = "") => ({ service: "web", who: "ana", why, now: NOW });
const toldOf = async (deploy: string) => (await readTold(site.zk, "web", "ops", [deploy])).get(deploy);

/** Without hosts it goes nowhere but where people bring it. */
async function eventful(id: string, build = "v1"): Promise<void> {
  await site.start({ id, build });
  await pauseDeploy(site.zk, change("lunch"));
  await resumeDeploy(site.zk, change());
  await abort(site.zk, change("enough"));
}
const ALL = ["1-started", "2-paused", "3-resumed", "4-aborted"];
const allOf = (id: string): string[] => ALL.map((each) => `${id}/${each}`);

test("everything that became of deploys while nobody conducted is told once, in order, and signed", async () => {
  await eventful("d1");
  await eventful("d2", "v2");
  await using _ = conduct();
  await eventually(() => listener.heard.length >= 8);
  expect(listener.ids).toEqual([...allOf("d1"), ...allOf("d2")]);
  await eventually(async () => (await toldOf("d2")) === 4);
  for (const { id, headers, body } of listener.heard) {
    const timestamp = headers.get("x-deployd-timestamp") ?? "";
    const hex = createHmac("sha256", KEY).update(`${timestamp}.${body}`).digest("hex");
    expect(headers.get("x-deployd-signature")).toBe(`sha256=${hex}`);
    expect(Math.abs(Date.now() / 1000 - Number(timestamp))).toBeLessThan(60);
    expect(bodySchema.parse(JSON.parse(body))).toMatchObject({ id, service: "web" });
  }
  expect(JSON.parse(listener.heard[1]?.body ?? "")).toEqual({
    schema: "deployd.event/1",
    id: "web/d1/2-paused",
    kind: "paused",
    service: "web",
    build: "v1",
    previous: null,
    deploy: "d1",
    number: 2,
    stage: null,
    who: "ana",
    why: "lunch",
    state: "paused",
    at: NOW.toISOString(),
    text: "web: ana paused the deploy of v1: lunch",
  });
});

test("the next conductor goes on where the one before it stopped", async () => {
  await site.start({ id: "d1", build: "v1" });
  {
    await using _ = conduct();
    await eventually(async () => (await toldOf("d1")) === 1);
  }
  await pauseDeploy(site.zk, change());
  await using _ = conduct();
  await eventually(() => listener.heard.length >= 2);
  await abort(site.zk, change());
  await eventually(async () => (await toldOf("d1")) === 3);
  expect(listener.ids).toEqual(["d1/1-started", "d1/2-paused", "d1/3-aborted"]);
});

test(
  "an event is told again by the next conductor where the one before could not keep that it was told",
  async () => {
    await site.start({ id: "d1", build: "v1" });
    {
      // Its session is over before the answer comes.
      const answered = Promise.withResolvers<void>();
      const first = conduct(undefined, async (request, signal) => {
        const answer = await send(request, signal);
        answered.resolve();
        await new Promise(() => {});
        return answer;
      });
      await answered.promise;
      await first.session.close();
      await first[Symbol.asyncDispose]();
    }
    expect(await toldOf("d1")).toBe(0);
    await using _ = conduct();
    await eventually(async () => (await toldOf("d1")) === 1);
    expect(listener.ids).toEqual(["d1/1-started", "d1/1-started"]);
  },
  LONG_MS,
);

test("what a target does not take is tried again, later events wait for it, and neither deploys nor the log suffer", async () => {
  listener.answers = (times) =>
    times <= 2
      ? Response.redirect("http://127.0.0.1:1/elsewhere", 302)
      : new Response("", { status: times === 3 ? 500 : 204 });
  await eventful("d1");
  await using _ = conduct();
  await eventually(async () => (await toldOf("d1")) === 4);
  expect(listener.ids).toEqual(allOf("d1"));
  const told = log.filter((line) => line.includes("tell"));
  expect(told.join("\n")).toContain("it answered 302, and redirects are not followed");
  expect(log.join("\n")).not.toMatch(/secret-path|token=|127\.0\.0\.1/);
  expect(noticed).toEqual(
    ["refused", "refused", "refused", "told", "told", "told", "told"].map((each) => `ops ${each}`),
  );
});

test(
  "a target that never answers holds up neither the rounds nor another target",
  async () => {
    await setService(site.zk, "web", { notify: ["dead", "ops"] });
    const silent = stack.use(new Listener());
    silent.answers = () => null;
    await eventful("d1");
    await using _ = conduct((name) => Promise.resolve(name === "ops" ? target() : { ...target(), url: silent.url }));
    await eventually(() => listener.heard.length >= 4);
    await site.host("h1");
    await eventful("d2", "v2");
    await eventually(() => listener.heard.length >= 8);
    expect(listener.ids).toEqual([...allOf("d1"), ...allOf("d2")]);
    expect((await readTold(site.zk, "web", "dead", ["d1"])).get("d1")).toBe(0);
  },
  LONG_MS,
);

test(
  "what a target does not take for an hour is given up and told in the log, with all that has waited behind it",
  async () => {
    listener.answers = () => new Response("", { status: 503 });
    await eventful("d1");
    /** A thousand times as fast as the machine's. */
    const clock = clockOf({
      ...systemClock,
      monotonicMs: () => systemClock.monotonicMs() * 1_000,
      after: (ms, work) => systemClock.after(ms / 1_000, work),
    });
    await using _ = conduct(undefined, send, clock);
    await eventually(async () => (await toldOf("d1")) === 4, LONG_MS);
    expect(listener.heard).toEqual([]);
    const { data } = await site.zk.get(toldPath("web", "d1"));
    expect(JSON.parse(new TextDecoder().decode(data))).toEqual({
      targets: { ops: { upTo: 4, givenUp: [1, 2, 3, 4] } },
    });
    const givenUp = log.filter((line) => line.startsWith("warn an event is given up"));
    expect(givenUp.map((line) => /"event":"web\/([^"]+)"/.exec(line)?.[1])).toEqual(allOf("d1"));
    // It is up again, and later events come.
    listener.answers = () => new Response();
    await site.start({ id: "d2", build: "v2" });
    await eventually(() => listener.heard.length > 0);
    expect(listener.ids).toEqual(["d2/1-started"]);
  },
  LONG_MS,
);

test("a conductor that lacks the target says so by its name, and leaves the events to one that has it", async () => {
  await site.start({ id: "d1", build: "v1" });
  {
    await using _ = conduct((name) => Promise.reject(new Error(`agent.toml of this host has no [notify.${name}]`)));
    await eventually(() => log.some((line) => line.includes("[notify.ops]")));
    expect(log.find((line) => line.includes("[notify.ops]"))).toContain('cannot tell "ops" what becomes of');
  }
  expect(await toldOf("d1")).toBe(0);
  await using _ = conduct();
  await eventually(async () => (await toldOf("d1")) === 1);
});

test("only whom the service named when the deploy began, and still names, is told of it", async () => {
  await setService(site.zk, "web", { notify: [] });
  await eventful("d1");
  await setService(site.zk, "web", { notify: ["ops", "gone"] });
  await eventful("d2", "v2");
  await setService(site.zk, "web", { notify: ["ops"] });
  const asked: string[] = [];
  await using _ = conduct((name) => {
    asked.push(name);
    return Promise.resolve(target());
  });
  await eventually(async () => (await toldOf("d2")) === 4);
  expect(listener.ids).toEqual(allOf("d2"));
  expect(new Set(asked)).toEqual(new Set(["ops"]));
});

test("Slack gets a text, and no signature where there is no key", async () => {
  await site.start({ id: "d1", build: "v1", why: "<!channel> look" });
  await using _ = conduct(() => Promise.resolve({ url: listener.url, key: null, format: "slack" }));
  await eventually(() => listener.heard.length >= 1);
  const [{ headers, body } = { headers: new Headers(), body: "" }] = listener.heard;
  expect(JSON.parse(body)).toEqual({ text: "web: me started the deploy of v1: &lt;!channel&gt; look" });
  expect(headers.get("x-deployd-signature")).toBeNull();
});

test("what was told is bounded, goes with the deploy, and brings back neither a deploy nor a service", async () => {
  await eventful("d1");
  for (let number = 1; number <= 30; number += 1)
    await keepTold(site.zk, "web", "d1", { target: "ops", number, isGivenUp: true });
  // Whoever was slower changes nothing.
  await keepTold(site.zk, "web", "d1", { target: "ops", number: 7, isGivenUp: false });
  const { data } = await site.zk.get(toldPath("web", "d1"));
  const { targets } = JSON.parse(new TextDecoder().decode(data));
  expect(targets.ops).toMatchObject({ upTo: 30 });
  expect(targets.ops.givenUp).toHaveLength(10);
  await removeDeploy(site.zk, "web", "d1");
  expect(await site.zk.exists(toldPath("web", "d1"))).toBeNull();
  expect(await site.zk.exists(deployPath("web", "d1"))).toBeNull();
  const late = { target: "ops", number: 31, isGivenUp: false };
  expect(await keepTold(site.zk, "web", "d1", late)).toBe(false);
  await removeService(site.zk, "web");
  expect(await keepTold(site.zk, "web", "d1", late)).toBe(false);
  expect(await site.zk.exists("/services/web")).toBeNull();
});
