import { expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import type { TrafficSpec } from "../../src/core/traffic.ts";
import type { Traffic } from "../../src/traffic/effects.ts";
import { trafficFor } from "../../src/traffic/traffic.ts";
import { eventually } from "../harness/eventually.ts";
import { ask } from "../harness/http.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { type Haproxy, keepAlive, startHaproxy, startService } from "./haproxy_process.ts";
import { trafficEffects } from "../harness/real_time.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();
const instances = ["1", "2"].map((name) => ({ name, port: null }));

function trafficOf(haproxy: Pick<Haproxy, "admin">, changed: Partial<TrafficSpec> = {}): Traffic {
  const spec = {
    by: "haproxy",
    socket: haproxy.admin,
    backend: "app",
    server: "${DEPLOYD_SERVICE}${DEPLOYD_INSTANCE}",
    ...changed,
  } as TrafficSpec;
  return trafficFor(spec, "web", instances, trafficEffects(), 2000);
}

/** HAProxy with two services behind it, both up. */
async function site() {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const services = [stack.use(await startService("one")), stack.use(await startService("two"))] as const;
  const lines = services.map(({ port }, index) => `web${index + 1} 127.0.0.1:${port} check`);
  const haproxy = stack.use(await startHaproxy(dir.path, lines));
  const traffic = trafficOf(haproxy);
  return { dir: dir.path, haproxy, services, traffic, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function answersOf({ port }: Haproxy): Promise<string[]> {
  const answers = [];
  for (let n = 0; n < 6; n++) answers.push(await ask(`http://127.0.0.1:${port}/`));
  return [...new Set(answers)].toSorted();
}

test("a drained server ends what it has begun, gets nothing new, and its clients stay connected to HAProxy", async () => {
  await using at = await site();
  const { haproxy, services, traffic } = at;
  await traffic.taken(["1", "2"], 5000, signal);
  await traffic.steer(["1"], signal);
  expect(await answersOf(haproxy)).toEqual(["200 one"]);
  using client = keepAlive(haproxy.port);
  expect(await client.get("/")).toBe("200 one");
  const slow = client.get("/slow");
  await eventually(async () => (await traffic.busy("1", signal)) === 1);

  await traffic.steer(["2"], signal);
  expect(await answersOf(haproxy)).toEqual(["200 two"]);
  expect(await traffic.busy("1", signal)).toBe(1);
  services[0].release();
  expect(await slow).toBe("200 one");
  await eventually(async () => (await traffic.busy("1", signal)) === 0);
  expect(await client.get("/")).toBe("200 two");
});

test("a server is taken only when HAProxy's own check has passed again", async () => {
  await using at = await site();
  const { haproxy, services, traffic } = at;
  await traffic.taken(["1", "2"], 5000, signal);
  await traffic.steer(["2"], signal);
  await services[0].stop();
  await eventually(async () => /web1 \S+ 0 8 /.test(await haproxy.ask("show servers state app")));

  await traffic.steer(["1", "2"], signal);
  expect(await rejection(traffic.taken(["2", "1"], 200, signal))).toMatchObject({
    code: "traffic-failed",
    message: "Cannot give app/web1 traffic again: after 200 ms HAProxy has it as stopped, ready.",
  });
  const taken = traffic.taken(["1", "2"], 10_000, signal);
  services[0].start();
  await taken;
  expect(await answersOf(haproxy)).toEqual(["200 one", "200 two"]);
});

test("waiting for a server is called off", async () => {
  await using at = await site();
  await at.services[0].stop();
  await at.traffic.steer(["2"], signal);
  const stop = new AbortController();
  const taken = at.traffic.taken(["1"], 60_000, stop.signal);
  stop.abort();
  expect(await rejection(taken)).toMatchObject({ code: "aborted" });
});

test("what a person has put into maintenance is left there, and no restart waits for it", async () => {
  await using at = await site();
  const { haproxy, traffic } = at;
  await haproxy.ask("set server app/web1 state maint");
  // Stopped, and in maintenance by force.
  const before = "web1 127.0.0.1 0 1 ";
  expect(await haproxy.ask("show servers state app")).toContain(before);
  for (const on of [["1", "2"], ["2"], ["1", "2"]]) {
    await traffic.steer(on, signal);
    expect(await haproxy.ask("show servers state app")).toContain(before);
  }
  // At once, and well: a person keeps it out, so a restart is not to fail for it.
  await traffic.taken(["1"], 60_000, signal);
  await traffic.remove(signal);
  expect(await haproxy.ask("show servers state app")).toContain(before);
});

test("steering says nothing that HAProxy knows, and again what it forgot", async () => {
  await using at = await site();
  const { haproxy } = at;
  const said: string[] = [];
  const real = trafficEffects();
  const effects: typeof real = {
    ...real,
    ask: (path, text, options) => {
      said.push(text.trim());
      return real.ask(path, text, options);
    },
  };
  const spec = { by: "haproxy", socket: haproxy.admin, backend: "app", server: "web${DEPLOYD_INSTANCE}" } as const;
  const traffic = trafficFor(spec, "web", instances, effects, 2000);
  await traffic.steer(["1"], signal);
  await traffic.steer(["1"], signal);
  expect(said).toEqual(["show servers state app", "set server app/web2 state drain", "show servers state app"]);
  await haproxy.ask("set server app/web2 state ready");
  said.length = 0;
  await traffic.steer(["1"], signal);
  await traffic.steer(["2"], signal);
  expect(said.filter((text) => text.startsWith("set"))).toEqual([
    "set server app/web2 state drain",
    "set server app/web2 state ready",
    "set server app/web1 state drain",
  ]);
  await traffic.remove(signal);
  expect(await answersOf(haproxy)).toEqual(["200 one", "200 two"]);
});

test("requests that found no server are counted as refused", async () => {
  await using at = await site();
  const { haproxy, traffic } = at;
  await traffic.taken(["1", "2"], 5000, signal);
  expect(await traffic.refused(signal)).toBe(0);
  await traffic.steer([], signal);
  expect(await ask(`http://127.0.0.1:${haproxy.port}/`)).toStartWith("503");
  expect(await traffic.refused(signal)).toBe(1);
});

test("a wrong socket, level, backend or server is an error that says what to change", async () => {
  await using at = await site();
  const { haproxy, dir } = at;
  const failure = (changed: Partial<TrafficSpec>) => rejection(trafficOf(haproxy, changed).steer(["1"], signal));

  const nobody = join(dir, "nobody.sock");
  const gone = await failure({ socket: nobody });
  expect(gone).toMatchObject({ code: "traffic-failed" });
  expect(gone.message).toStartWith(`Cannot ask HAProxy to "show servers state app": Cannot ask the socket ${nobody}: `);
  expect(gone).toMatchObject({ hint: expect.stringContaining(`"stats socket ${nobody} level admin"`) });

  expect(await failure({ socket: haproxy.operator })).toMatchObject({
    code: "traffic-failed",
    message:
      `Cannot ask HAProxy at ${haproxy.operator} to "set server app/web2 state drain": ` +
      'it answers "Permission denied".',
    hint: `Give the socket its level: "stats socket ${haproxy.operator} level admin" in HAProxy's global section.`,
  });
  expect(await failure({ backend: "api" })).toMatchObject({
    code: "traffic-failed",
    message: `Cannot ask HAProxy at ${haproxy.admin} to "show servers state api": it answers "Can't find backend".`,
    hint: `Name a backend of HAProxy's configuration in the agent's file (backend = "api").`,
  });
  expect(await failure({ server: "api${DEPLOYD_INSTANCE}" })).toMatchObject({
    code: "traffic-failed",
    message: "Cannot steer the traffic of app/api1: HAProxy's backend has only web1, web2.",
  });
  expect(await rejection(trafficOf(haproxy).busy("3", signal))).toMatchObject({ code: "traffic-failed" });
});

test("a socket of another program is an error in time", async () => {
  await using dir = await tempDir();
  const silent = join(dir.path, "silent.sock");
  await using server = createServer((socket) => void socket.resume());
  server.listen(silent);
  await once(server, "listening");
  const spec = { by: "haproxy", socket: silent, backend: "app", server: "web1" } as const;
  const quick = trafficFor(spec, "web", instances.slice(0, 1), trafficEffects(), 100);
  expect(await rejection(quick.steer([], signal))).toMatchObject({
    code: "traffic-failed",
    message: expect.stringContaining("nothing of the answer had come after 100 ms"),
  });

  const chatty = join(dir.path, "chatty.sock");
  await using other = createServer((socket) => void socket.resume().end("Unknown command. Type help.\n"));
  other.listen(chatty);
  await once(other, "listening");
  const wrong = trafficFor({ ...spec, socket: chatty }, "web", instances.slice(0, 1), trafficEffects(), 2000);
  expect(await rejection(wrong.steer([], signal))).toMatchObject({
    code: "traffic-failed",
    hint: "Is this the socket of HAProxy itself, and not of its master (-S) or of another program?",
  });
});
