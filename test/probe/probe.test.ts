import { expect, test } from "bun:test";
import { join } from "node:path";
import type { ProbeSpec } from "../../src/core/resolved_recipe.ts";
import { type HealthRequest, probeOnce, type ProbeEffects, probeUntilHealthy } from "../../src/probe/probe.ts";
import { probeHttp } from "../../src/probe/http.ts";
import { probeTcp } from "../../src/probe/tcp.ts";
import type { ProbeResult } from "../../src/probe/result.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { Asking } from "../../src/probe/reach.ts";
import { ASKING, asked } from "../harness/asking.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { runCommand } from "../harness/real_time.ts";

const { signal } = new AbortController();

const probesAs = (asking: Asking): ProbeEffects["probes"] => ({
  http: (spec, signal) => probeHttp(spec, signal, asking, asked),
  tcp: (spec, signal) => probeTcp(spec, signal, asking, asked),
});

const noCommands: ProbeEffects = {
  run: () => Promise.reject(new Error("no command was expected")),
  probes: probesAs(ASKING),
  clock: systemClock,
};

/** On a host that says that answers may be told. */
const quoting: ProbeEffects = { ...noCommands, probes: probesAs({ hosts: [], quotesAnswers: true }) };

/** A server that is told what to answer, and remembers what it was asked. */
function server(answer: (request: Request) => Response | Promise<Response>) {
  const asked: Headers[] = [];
  const listening = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      asked.push(new Headers(request.headers));
      return answer(request);
    },
  });
  return {
    url: `http://127.0.0.1:${listening.port}/health`,
    asked,
    [Symbol.asyncDispose]: () => listening.stop(true),
  };
}

function http(url: string, more: Partial<Extract<ProbeSpec, { kind: "http" }>> = {}): ProbeSpec {
  return { kind: "http", url, expectStatus: [200], timeoutMs: 5000, ...more };
}

/** A raw TCP server; `greet` is called for each connection. */
function rawServer(greet: (socket: Bun.Socket) => void) {
  const listening = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { open: () => {}, data: greet } });
  return { port: listening.port, [Symbol.asyncDispose]: async () => listening.stop(true) };
}

function closedPort(): number {
  const listening = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data: () => {} } });
  const { port } = listening;
  listening.stop(true);
  return port;
}

async function ask(port: number): Promise<ProbeResult> {
  return await probeOnce(http(`http://127.0.0.1:${port}/`, { timeoutMs: 300 }), noCommands, signal);
}

function tcp(port: number): ProbeSpec {
  return { kind: "tcp", host: "127.0.0.1", port, timeoutMs: 2000 };
}

test("an expected status is health; the question is on a connection of its own and names itself", async () => {
  await using web = server(() => new Response("ok"));
  expect(await probeOnce(http(web.url), noCommands, signal)).toEqual({ ok: true, tookMs: expect.any(Number) });
  expect(web.asked[0]?.get("connection")).toBe("close");
  expect(web.asked[0]?.get("user-agent")).toBe("deployd-check");
});

test("one of several expected statuses will do, any other is told with the length of the body", async () => {
  await using web = server(() => new Response("upstream is down\n", { status: 502 }));
  expect(await probeOnce(http(web.url), noCommands, signal)).toEqual({
    ok: false,
    reason: "http 502",
    detail: "The answer: status 502, 17 bytes.",
  });
  expect(await probeOnce(http(web.url), quoting, signal)).toEqual({
    ok: false,
    reason: "http 502",
    detail: "upstream is down",
  });
  expect(await probeOnce(http(web.url, { expectStatus: [200, 502] }), noCommands, signal)).toMatchObject({ ok: true });
});

test("a redirect is an answer and is not followed", async () => {
  await using web = server(() => Response.redirect("/elsewhere", 302));
  expect(await probeOnce(http(web.url), noCommands, signal)).toMatchObject({ ok: false, reason: "http 302" });
  expect(web.asked.length).toBe(1);
});

test("a body without the expected text is not health", async () => {
  await using web = server(() => new Response('{"version":"v1"}'));
  expect(await probeOnce(http(web.url, { expectBody: "v1" }), noCommands, signal)).toMatchObject({ ok: true });
  expect(await probeOnce(http(web.url, { expectBody: "v2" }), noCommands, signal)).toEqual({
    ok: false,
    reason: 'body lacks "v2"',
    detail: "The answer: status 200, 16 bytes.",
  });
  expect(await probeOnce(http(web.url, { expectBody: "v2" }), quoting, signal)).toMatchObject({
    detail: '{"version":"v1"}',
  });
});

test("of an endless body the first 64 kB are looked at, and no more is waited for", async () => {
  await using web = rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const timer = setInterval(() => {
      if (socket.write("y".repeat(16_384)) < 0) clearInterval(timer);
    }, 1);
  });
  const url = `http://127.0.0.1:${web.port}/`;
  expect(await probeOnce(http(url), noCommands, signal)).toMatchObject({ ok: true });
  expect(await probeOnce(http(url, { expectBody: "x" }), noCommands, signal)).toMatchObject({
    ok: false,
    reason: 'body lacks "x"',
  });
});

test("a body that trickles in cannot outlast the time of the question", async () => {
  await using web = rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
    const timer = setInterval(() => {
      if (socket.write("x") <= 0) clearInterval(timer);
    }, 10);
  });
  const url = `http://127.0.0.1:${web.port}/`;
  expect(await probeOnce(http(url, { timeoutMs: 200 }), noCommands, signal)).toEqual({
    ok: false,
    reason: "timeout after 200 ms",
  });
});

test("no answer is a time-out, nobody listening is a refused connection, rubbish is a failed one", async () => {
  await using silent = rawServer(() => {});
  await using rubbish = rawServer((socket) => socket.end("who are you\r\n\r\n"));
  await using hangsUp = rawServer((socket) => socket.end());
  expect(await ask(silent.port)).toEqual({ ok: false, reason: "timeout after 300 ms" });
  expect(await ask(closedPort())).toMatchObject({ ok: false, reason: "connection refused" });
  expect(await ask(rubbish.port)).toMatchObject({ ok: false, reason: expect.stringMatching(/^connection /) });
  expect(await ask(hangsUp.port)).toMatchObject({ ok: false, reason: "connection reset" });
});

test("a check is never sent through a proxy", async () => {
  await using web = server(() => new Response("ok"));
  await using proxy = server(() => new Response("proxied", { status: 418 }));
  const source = (name: string): string => JSON.stringify(join(import.meta.dir, "../../src", name));
  const code = `const { probeHttp } = await import(${source("probe/http.ts")});
    const { systemClock: clock } = await import(${source("support/clock.ts")});
    const { hostNames: names } = await import(${source("host/machine.ts")});
    const { systemTrust } = await import(${source("host/system_trust.ts")});
    const asking = { hosts: [], quotesAnswers: false };
    const fetched = (await fetch(${JSON.stringify(web.url)})).status;
    const spec = { kind: "http", url: ${JSON.stringify(web.url)}, expectStatus: [200], timeoutMs: 5000 };
    console.log(JSON.stringify({ fetched, ok: (await probeHttp(spec, new AbortController().signal, asking, { clock, names, trust: systemTrust({}) })) === null }));`;
  const child = Bun.spawn([process.execPath, "-e", code], {
    env: { HTTP_PROXY: proxy.url, http_proxy: proxy.url },
    stdout: "pipe",
    stderr: "inherit",
  });
  // fetch goes through it, which shows that the proxy was in force.
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual({ fetched: 418, ok: true });
});

test("a port that accepts is health, one that does not is not", async () => {
  await using web = rawServer(() => {});
  expect(await probeOnce(tcp(web.port), noCommands, signal)).toMatchObject({ ok: true });
  expect(await probeOnce(tcp(closedPort()), noCommands, signal)).toMatchObject({
    ok: false,
    reason: "connection refused",
  });
});

test("a command that exits with 0 is health; otherwise how it ended and its output are told", async () => {
  await using dir = await tempDir();
  const effects: ProbeEffects = {
    ...noCommands,
    run: (run, { timeoutMs, background, signal }) =>
      runCommand({
        run,
        cwd: dir.path,
        env: {},
        timeoutMs,
        background,
        killAfterMs: 100,
        logFile: join(dir.path, "check.log"),
        maxLogBytes: 1000,
        signal,
      }),
  };
  const ask = (run: string): Promise<ProbeResult> =>
    probeOnce({ kind: "command", run, timeoutMs: 1000 }, effects, signal);
  expect(await ask("true")).toMatchObject({ ok: true });
  expect(await ask("echo queue is stuck; exit 2")).toEqual({ ok: false, reason: "exit 2", detail: "queue is stuck" });
  expect(await ask("kill -9 $$")).toEqual({ ok: false, reason: "ended by SIGKILL" });
  expect(await ask("echo hm; sleep 300")).toEqual({ ok: false, reason: "timeout after 1000 ms", detail: "hm" });
});

test("a secret in an answer is not in the result", async () => {
  await using web = server(() => new Response("cannot reach postgres://app:hunter2@db/", { status: 500 }));
  const told = await probeOnce(http(web.url), quoting, signal);
  expect(JSON.stringify(told)).toContain("cannot reach postgres");
  expect(JSON.stringify(told)).not.toContain("hunter2");
});

test("a check that is called off ends at once with aborted, whatever it was doing", async () => {
  await using silent = rawServer(() => {});
  const stop = new AbortController();
  const asking = probeOnce(http(`http://127.0.0.1:${silent.port}/`, { timeoutMs: 600_000 }), noCommands, stop.signal);
  stop.abort();
  expect(await rejection(asking)).toMatchObject({ code: "aborted" });
  expect(await rejection(probeOnce(http("http://127.0.0.1:1/"), noCommands, stop.signal))).toMatchObject({
    code: "aborted",
  });
});

/** Answers `statuses` in turn, the last one for ever. */
function statuses(...list: number[]) {
  let next = 0;
  return server(() => new Response("", { status: list[Math.min(next++, list.length - 1)] ?? 500 }));
}

/** Attempts and pauses take no time on it, so that there are as many as a deadline allows. */
const instant = { ...systemClock, monotonicMs: () => 0, sleep: async () => {} };

function until(url: string, more: Partial<HealthRequest> = {}): HealthRequest {
  return {
    spec: http(url),
    intervalMs: 10,
    successes: 3,
    minHealthyMs: 0,
    deadlineMs: 20_000,
    signal,
    ...more,
  };
}

test("healthy is only who answers well so many times in a row", async () => {
  await using web = statuses(503, 200, 200, 503, 200);
  const streaks: number[] = [];
  const health = await probeUntilHealthy(
    until(web.url, { onAttempt: (_, streak) => streaks.push(streak) }),
    noCommands,
  );
  expect(health).toEqual({ kind: "healthy", attempts: 7 });
  expect(streaks).toEqual([0, 1, 2, 0, 1, 2, 3]);
});

test("who is not well in time is unhealthy, with the last reason and the number of attempts", async () => {
  await using web = statuses(502);
  const request = until(web.url, { intervalMs: 1000, deadlineMs: 10_000 });
  const health = await probeUntilHealthy(request, { ...noCommands, clock: instant });
  expect(health).toMatchObject({ kind: "unhealthy", last: { ok: false, reason: "http 502" } });
  expect(health.attempts).toBe(10);
  expect(web.asked.length).toBe(10);
});

test("a last good answer does not hide the failure before it", async () => {
  await using web = statuses(200, 500, 200);
  const request = until(web.url, { successes: 1000, intervalMs: 1000, deadlineMs: 10_000 });
  const health = await probeUntilHealthy(request, { ...noCommands, clock: instant });
  expect(health).toMatchObject({ kind: "unhealthy", last: { ok: false, reason: "http 500" } });
});

test("a good service is asked at least once, however short the time is", async () => {
  await using web = statuses(200);
  const health = await probeUntilHealthy(until(web.url, { successes: 1, deadlineMs: 2000 }), noCommands);
  expect(health).toEqual({ kind: "healthy", attempts: 1 });
});

test("a leap of the clock does not end a check", async () => {
  await using web = statuses(503, 503, 200);
  let leapsMs = 0;
  const clock = { ...systemClock, now: () => Date.now() + (leapsMs += 3_600_000) };
  expect(await probeUntilHealthy(until(web.url), { ...noCommands, clock })).toEqual({ kind: "healthy", attempts: 5 });
});

test("the pause between two attempts is the one that was asked for", async () => {
  await using web = statuses(503);
  const pauses: number[] = [];
  const clock = {
    ...instant,
    sleep: async (ms: number) => {
      pauses.push(ms);
    },
  };
  const request = until(web.url, { intervalMs: 1000, deadlineMs: 10_000 });
  const health = await probeUntilHealthy(request, { ...noCommands, clock });
  expect(health).toMatchObject({ kind: "unhealthy", attempts: 10 });
  expect(pauses).toEqual(Array.from({ length: 9 }, () => 1000));
});

test("a check that is called off in its pause is aborted", async () => {
  await using web = statuses(503);
  const stop = new AbortController();
  const waiting = probeUntilHealthy(
    until(web.url, { signal: stop.signal, intervalMs: 600_000, deadlineMs: 6_000_000, onAttempt: () => stop.abort() }),
    noCommands,
  );
  expect(await rejection(waiting)).toMatchObject({ code: "aborted" });
});
