import { expect, test } from "bun:test";
import { DeployError } from "../../src/core/errors.ts";
import { emptyJournal } from "../../src/schema/journal.ts";
import type { DownloadRequest } from "../../src/fetch/download.ts";
import { unreadSnapshot } from "../../src/store/read_wish.ts";
import { stage } from "../sim/host/stage.ts";
import { openAgent } from "./one_service.ts";

/*
 * For how long a host waits for a source. PREPARE touches nothing, so it is time that ends it, and not the number of tries.
 */

const MINUTE = 60_000;

const away = (retryAfterMs = 0): DeployError =>
  new DeployError("Cannot fetch http://artefacts.example/v2: the server answered 503.", {
    code: "fetch-failed",
    retry: true,
    retryAfterMs,
  });

/**
 * A host that has taken up v2. `answer` says how a download goes: null as it should, else with which error; it is told how
 * long after the first.
 */
async function fetching(
  answer: (atMs: number, request: DownloadRequest) => DeployError | null,
  limits = "",
  wall = { offsetMs: 0, drift: 0 },
  heavy?: <T>(work: () => Promise<T>) => Promise<T>,
) {
  const world = stage("waiting", { wall });
  const { host, service } = world;
  const build = world.build({ id: "v2" });
  const journal = { ...emptyJournal, attempt: { number: 4, deploy: "d2", build: "v2" } };
  host.disk.append(host.disk.create(`${service.root}/state.json`), Buffer.from(JSON.stringify(journal)));
  const { machine } = host.newLife();
  const asked: number[] = [];
  const download = (request: DownloadRequest): Promise<void> => {
    asked.push(world.time.nowMs);
    const error = answer(world.time.nowMs - (asked[0] ?? 0), request);
    return error === null ? machine.network.download(request) : Promise.reject(error);
  };
  const file = `[zookeeper]\nservers = "nowhere:1"\n[limits]\n${limits}\n[services.web.env]\nPORT = "8001"\n`;
  const opened = await world.play(
    openAgent({ ...machine, network: { ...machine.network, download } }, service.root, file, heavy),
  );
  const { agent, state, said, lines } = opened;
  state.isSeen = true;
  const { signal } = new AbortController();
  const wish = (url: string): void =>
    agent.onSnapshot({
      ...unreadSnapshot,
      target: { kind: "build", build: "v2", deploy: "d2" },
      build: build.record(url),
    });
  wish(build.url);
  void agent.run({ soon: signal, now: signal });
  return {
    pass: world.pass,
    /** Says that the build is at another URL. */
    moves: (url: string) => wish(url),
    url: build.url,
    /** When it asked first, by its own clock. */
    beganMs: () => machine.clock.now() - (world.time.nowMs - (asked[0] ?? 0)),
    /** When it asked, in seconds after the first time. */
    askedAt: () => asked.map((at) => Math.round((at - (asked[0] ?? 0)) / 1000)),
    isFetched: () => lines.includes("info: verify"),
    failed: () => opened.journal.now.failed,
    error: () => said.at(-1)?.error ?? null,
    lines,
  };
}

test("a download waits for nothing that other services of its host do", async () => {
  const busy = () => Promise.withResolvers<never>().promise;
  const host = await fetching(() => null, "", { offsetMs: 0, drift: 0 }, busy);
  host.pass(MINUTE);
  expect(host.isFetched()).toBe(true);
});

test("a source that is away for ten minutes is waited for, and why and until when is told, once", async () => {
  const host = await fetching((atMs) => (atMs < 10 * MINUTE ? away() : null));
  host.pass(9 * MINUTE);
  const until = new Date(host.beganMs() + 15 * MINUTE).toISOString();
  expect(host.error()).toMatchObject({ code: "fetch-failed", message: away().message, until });
  expect(host.lines.filter((line) => line.includes("It is tried again until"))).toEqual([
    `warn: ${away().message} It is tried again until ${until}.`,
  ]);
  // With less than eight tries a minute it has tried more often than that.
  expect(host.askedAt().length).toBeGreaterThan(12);
  expect(host.isFetched()).toBe(false);
  host.pass(2 * MINUTE);
  expect(host.isFetched()).toBe(true);
  expect(host.failed()).toBeNull();
});

test("nobody is asked before the time that it asks for, nor much after", async () => {
  const host = await fetching((atMs) => (atMs < 5 * MINUTE ? away(120_000) : null));
  host.pass(10 * MINUTE);
  expect(host.isFetched()).toBe(true);
  const at = host.askedAt();
  for (const [index, seconds] of at.slice(1).entries()) {
    const pause = seconds - (at[index] ?? 0);
    expect(pause).toBeGreaterThanOrEqual(120);
    expect(pause).toBeLessThanOrEqual(132);
  }
});

test("after a quarter of an hour without a byte the build has failed here", async () => {
  const host = await fetching(() => away());
  host.pass(14 * MINUTE);
  expect(host.failed()).toBeNull();
  host.pass(2 * MINUTE);
  expect(host.askedAt().at(-1)).toBe(900);
  expect(host.failed()?.failure).toMatchObject({
    code: "fetch-failed",
    message: away().message,
    hint: expect.stringMatching(
      /It was tried \d\d times in 900 s, and a host gives up after 900 s \(limits\.fetch_deadline_s\)\./,
    ),
  });
});

test("whoever asks for more time than there is, is asked once more at the end of it", async () => {
  const back = await fetching((atMs) => (atMs < 5 * MINUTE ? away(3_600_000) : null));
  back.pass(20 * MINUTE);
  expect(back.askedAt()).toEqual([0, 900]);
  expect(back.isFetched()).toBe(true);
  const gone = await fetching(() => away(3_600_000));
  gone.pass(20 * MINUTE);
  expect(gone.askedAt()).toEqual([0, 900]);
  expect(gone.failed()?.failure.code).toBe("fetch-failed");
});

test("as long as more and more bytes come it goes on", async () => {
  let bytes = 0;
  const slow = await fetching((atMs, request) => {
    if (atMs > 40 * MINUTE) return null;
    // Every tenth try brings one byte more, the others none.
    request.onProgress?.(Math.floor((bytes += 1) / 10));
    return away();
  });
  slow.pass(45 * MINUTE);
  expect(slow.isFetched()).toBe(true);
  // The same bytes again and again are no progress.
  const turning = await fetching((_, request) => {
    request.onProgress?.(7);
    return away();
  });
  turning.pass(20 * MINUTE);
  expect(turning.failed()?.failure.code).toBe("fetch-failed");
});

test("how long is the host's to say, and how often where it wants to say that", async () => {
  const brief = await fetching(() => away(), "fetch_deadline_s = 20");
  brief.pass(1 * MINUTE);
  expect(brief.askedAt().at(-1)).toBe(20);
  expect(brief.failed()?.failure.hint).toContain("20 s");
  for (const limits of ["fetch_deadline_s = 0", "fetch_attempts = 1"]) {
    const once = await fetching(() => away(), limits);
    once.pass(1 * MINUTE);
    expect(once.askedAt()).toEqual([0]);
    expect(once.failed()?.failure).toMatchObject({ message: away().message, hint: "" });
  }
});

test("a clock that is wrong, or is set, changes nothing of it", async () => {
  const host = await fetching(() => away(), "", { offsetMs: -3_600_000, drift: 0.5 });
  host.pass(14 * MINUTE);
  expect(host.failed()).toBeNull();
  host.pass(2 * MINUTE);
  expect(host.failed()?.failure.code).toBe("fetch-failed");
});

test("a URL that is put right is asked at once, and with all the time that there is", async () => {
  const urls: string[] = [];
  const host = await fetching((_, { url }) => {
    urls.push(url);
    return url.endsWith("?right") ? null : away(3_600_000);
  });
  host.pass(10 * MINUTE);
  host.moves(`${host.url}?wrong`);
  host.pass(10 * MINUTE);
  expect(urls).toEqual([host.url, `${host.url}?wrong`]);
  expect(host.failed()).toBeNull();
  host.moves(`${host.url}?right`);
  host.pass(1_000);
  expect(host.isFetched()).toBe(true);
});

test("what will not pass by itself is not waited for", async () => {
  const host = await fetching(() => new DeployError("the server answered 404", { code: "fetch-failed" }));
  host.pass(1_000);
  expect(host.askedAt()).toEqual([0]);
  expect(host.failed()?.failure).toMatchObject({ code: "fetch-failed", hint: "" });
});
