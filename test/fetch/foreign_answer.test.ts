import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { hostMachine } from "../../src/host/machine.ts";
import type { BuildWork } from "../../src/steps/effects.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { verifyStep } from "../../src/steps/verify.ts";
import { systemClock } from "../../src/support/clock.ts";
import { serviceManager } from "../../src/host/sd_notify.ts";
import { download } from "../harness/real_time.ts";
import { deployErrorOf, never, Scratch } from "./scratch.ts";

/*
 * What comes from a source need not be from the source: a portal, a proxy's page that says that the server is away, another
 * file by the same name. None of it may become a part of a build.
 */

const BUILD = Buffer.from(Array.from({ length: 4_000 }, (_, at) => `line ${at} of the build\n`).join(""));
const PAGE = Buffer.from("<html><body>We are back soon</body></html>");
const OTHER = Buffer.from(BUILD).fill("other ");

/** One answer: head lines, what of the body is sent, and whether the connection then breaks. */
interface Answer {
  readonly status?: string;
  readonly headers?: readonly string[];
  readonly body: Buffer;
  /** The length that is announced; null for a body in chunks. */
  readonly length?: number | null;
  readonly breaks?: boolean;
}

const servers: Server[] = [];
/** Connections that break as soon as what was sent on them has arrived. */
const breaking = new Set<Socket>();
const breakThem = (): void => {
  breaking.forEach((socket) => socket.destroy());
  breaking.clear();
};
afterAll(() => servers.forEach((server) => server.close()));

/** A server that gives one answer after the other, whatever it is asked, and remembers the heads of the questions. */
async function serverOf(...answers: readonly (Answer | ((from: number) => Answer))[]) {
  const asked: string[] = [];
  const reply = (socket: Socket, head: string): void => {
    const next = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(head);
    const from = Number(/range: bytes=(\d+)-/i.exec(head)?.[1] ?? 0);
    const {
      status = "200 OK",
      headers = [],
      body,
      length = body.length,
      breaks = false,
    } = typeof next === "function" ? next(from) : (next ?? { body: PAGE });
    const framing = length === null ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
    socket.write([`HTTP/1.1 ${status}`, "Connection: close", framing, ...headers, "", ""].join("\r\n"));
    socket.write(length === null ? `${body.length.toString(16)}\r\n` : "");
    socket.write(body);
    if (length === null && !breaks) socket.write("\r\n0\r\n\r\n");
    if (breaks) breaking.add(socket);
    else socket.end();
  };
  const server = createServer((socket) => {
    let head = "";
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      head += data.toString("latin1");
      if (head.endsWith("\r\n\r\n")) reply(socket, head);
    });
  });
  servers.push(server);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return { url: `http://127.0.0.1:${address.port}/web.tar`, asked };
}

const whole: Answer = { body: BUILD };
const half: Answer = { body: BUILD.subarray(0, BUILD.length >> 1), length: BUILD.length, breaks: true };
const withTag = (answer: Answer, etag: string): Answer => ({ ...answer, headers: [`ETag: ${etag}`] });
const rest =
  (of: Buffer, ...headers: readonly string[]) =>
  (from: number): Answer => ({
    status: "206 Partial Content",
    headers: [`Content-Range: bytes ${from}-${of.length - 1}/${of.length}`, ...headers],
    body: of.subarray(from),
  });

function downloadInto(scratch: Scratch, url: string): Promise<void> {
  return download({
    url,
    into: scratch.at("spool"),
    size: BUILD.length,
    sources: [],
    onProgress: breakThem,
    signal: never(),
  });
}

const spooled = (scratch: Scratch): Buffer => readFileSync(scratch.at("spool"));

test.each([
  ["with its length", { body: PAGE }],
  ["in chunks", { body: PAGE, length: null }],
  ["as a range of something else", rest(PAGE)],
  ["as another success", { status: "202 Accepted", body: PAGE }],
  ["of a longer file", { body: Buffer.concat([BUILD, PAGE]) }],
  ["of a longer file, in chunks", { body: Buffer.concat([BUILD, PAGE]), length: null }],
] as const)("a foreign first answer %s is no beginning of the build, and the next is taken", async (_, page) => {
  using scratch = new Scratch();
  const { url, asked } = await serverOf(page, whole);
  expect(await deployErrorOf(downloadInto(scratch, url))).toMatchObject({ code: "fetch-failed", retry: true });
  expect(spooled(scratch)).toHaveLength(0);
  await downloadInto(scratch, url);
  expect(spooled(scratch).equals(BUILD)).toBe(true);
  expect(asked[1]).not.toMatch(/range/i);
});

test("bytes that somebody has compressed on the way are told as that", async () => {
  for (const length of [PAGE.length, null]) {
    using scratch = new Scratch();
    const { url } = await serverOf({ headers: ["Content-Encoding: gzip"], body: PAGE, length });
    const error = await deployErrorOf(downloadInto(scratch, url));
    expect(error.message).toContain(`${PAGE.length}, encoded as gzip`);
  }
});

test("a page in the middle costs nothing of what is there already", async () => {
  using scratch = new Scratch();
  const { url, asked } = await serverOf(half, { status: "200 OK", body: PAGE }, rest(BUILD));
  await deployErrorOf(downloadInto(scratch, url));
  await deployErrorOf(downloadInto(scratch, url));
  await downloadInto(scratch, url);
  expect(spooled(scratch).equals(BUILD)).toBe(true);
  expect(asked[2]).toContain(`bytes=${half.body.length}-`);
});

const LONG_AGO = ["Date: Thu, 26 Nov 2026 10:00:00 GMT", "Last-Modified: Thu, 26 Nov 2026 09:00:00 GMT"];

test.each([
  ["an ETag", ['ETag: "v1"'], '"v1"'],
  ["a date", LONG_AGO, "Thu, 26 Nov 2026 09:00:00 GMT"],
  ["nothing where the ETag is a weak one", ['ETag: W/"v1"'], null],
  [
    "nothing where the date is of the same second",
    [LONG_AGO[0] ?? "", LONG_AGO[0]?.replace("Date", "Last-Modified") ?? ""],
    null,
  ],
  ["the ETag where there are both", ['ETag: "v1"', ...LONG_AGO], '"v1"'],
] as const)("the rest is asked for by %s", async (_, headers, expected) => {
  using scratch = new Scratch();
  const { url, asked } = await serverOf({ ...half, headers }, rest(BUILD, ...headers));
  await deployErrorOf(downloadInto(scratch, url));
  await downloadInto(scratch, url);
  expect(spooled(scratch).equals(BUILD)).toBe(true);
  expect(/^if-range: (.*)\r$/im.exec(asked[1] ?? "")?.[1] ?? null).toBe(expected);
});

test("where the server has another file meanwhile, that is fetched as a whole", async () => {
  using scratch = new Scratch();
  const begun = { ...half, body: OTHER.subarray(0, 20_000) };
  const changed = await serverOf(withTag(begun, '"v1"'), withTag(whole, '"v2"'));
  await deployErrorOf(downloadInto(scratch, changed.url));
  await downloadInto(scratch, changed.url);
  expect(spooled(scratch).equals(BUILD)).toBe(true);

  using other = new Scratch();
  // It pays no heed to If-Range, but says what it sends the rest of.
  const heedless = await serverOf(withTag(begun, '"v1"'), rest(BUILD, 'ETag: "v2"'), withTag(whole, '"v2"'));
  await deployErrorOf(downloadInto(other, heedless.url));
  const error = await deployErrorOf(downloadInto(other, heedless.url));
  expect(error).toMatchObject({ retry: true });
  expect(error.message).toContain("has changed since its beginning was fetched");
  await downloadInto(other, heedless.url);
  expect(spooled(other).equals(BUILD)).toBe(true);
});

/** A build whose archive is fetched into a directory of its own. */
async function workIn(scratch: Scratch, url: string) {
  const machine = hostMachine(systemClock, serviceManager({}), {});
  const files = new Files(machine.disk, systemClock);
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(BUILD).digest("hex")}` as const;
  const layout = layoutOf(scratch.path);
  const record = { url, digest, size: BUILD.length, time: new Date(0).toISOString() };
  const work: BuildWork = { service: "web", build: "v1", deploy: "d1", layout, record };
  await files.makeDirectory(layout.staging("v1"));
  const effects = { ...machine, files, run: () => Promise.reject(new Error("no command")), signal: never() };
  const into = layout.spool("v1");
  return {
    fetch: () => download({ url, into, size: BUILD.length, sources: [], onProgress: breakThem, signal: never() }),
    verify: () => verifyStep(work, effects),
    verified: layout.verified("v1", digest),
    spool: into,
  };
}

const stranger: Answer = { ...half, body: OTHER.subarray(0, 20_000) };

test("a file of several answers with another digest is fetched anew, once", async () => {
  using scratch = new Scratch();
  // Neither says what it is: only the digest can tell.
  const { url, asked } = await serverOf(stranger, rest(BUILD), whole);
  const work = await workIn(scratch, url);
  await deployErrorOf(work.fetch());
  await work.fetch();
  const error = await deployErrorOf(work.verify());
  expect(error).toMatchObject({ code: "digest-mismatch", retry: true });
  expect(error.hint).toContain("fetched again");
  await work.fetch();
  expect(asked[2]).not.toMatch(/range/i);
  await work.verify();
  expect(readFileSync(work.verified).equals(BUILD)).toBe(true);
});

test("what is wrong again then is wrong, also where it is of several answers again", async () => {
  for (const second of [[{ body: OTHER }], [stranger, rest(BUILD)]] as const) {
    using scratch = new Scratch();
    const { url } = await serverOf(stranger, rest(BUILD), ...second);
    const work = await workIn(scratch, url);
    await deployErrorOf(work.fetch());
    await work.fetch();
    expect(await deployErrorOf(work.verify())).toMatchObject({ retry: true });
    if (second.length > 1) await deployErrorOf(work.fetch());
    await work.fetch();
    expect(await deployErrorOf(work.verify())).toMatchObject({ code: "digest-mismatch", retry: false });
  }
});

test("a file of one answer with another digest is the server's, and final", async () => {
  using scratch = new Scratch();
  const { url } = await serverOf({ body: OTHER });
  const work = await workIn(scratch, url);
  await work.fetch();
  expect(await deployErrorOf(work.verify())).toMatchObject({ code: "digest-mismatch", retry: false });
});

test("a file of which nothing is known counts as one of several", async () => {
  for (const note of [null, "{", '{"answers":']) {
    using scratch = new Scratch();
    const work = await workIn(scratch, "http://127.0.0.1:1/");
    await Bun.write(work.spool, OTHER);
    if (note !== null) await Bun.write(`${work.spool}.origin`, note);
    expect(await deployErrorOf(work.verify())).toMatchObject({ code: "digest-mismatch", retry: true });
  }
});

test.each([
  ["Retry-After: 120", 120_000, "asks to wait 120 s"],
  ["Retry-After: 0", 0, "asks to wait 0 s"],
  // By the server's own clock, whatever the host's is.
  [
    "Date: Thu, 26 Nov 2026 10:00:00 GMT\r\nRetry-After: Thu, 26 Nov 2026 10:01:30 GMT",
    90_000,
    "wait until 2026-11-26T10:01:30.000Z",
  ],
  [
    "Date: Thu, 26 Nov 2026 10:00:00 GMT\r\nRetry-After: Thu, 26 Nov 2026 09:00:00 GMT",
    0,
    "wait until 2026-11-26T09:00:00.000Z",
  ],
  ["Retry-After: soon", 0, "answered 503."],
  ["Retry-After: -5", 0, "answered 503."],
  ["Retry-After: 1.5", 0, "answered 503."],
  ["Retry-After: 99999999999999999999", 0, "answered 503."],
  ["X-None: 1", 0, "answered 503."],
])("a server that is away is left alone as it asks: %s", async (header, retryAfterMs, says) => {
  using scratch = new Scratch();
  const { url } = await serverOf({ status: "503 Service Unavailable", headers: [header], body: PAGE });
  const error = await deployErrorOf(downloadInto(scratch, url));
  expect(error).toMatchObject({ code: "fetch-failed", retry: true, retryAfterMs });
  expect(error.message).toContain(says);
});

test.each(["429 Too Many Requests", "500 Internal Server Error", "408 Request Timeout"])(
  "so is one that answers %s",
  async (status) => {
    using scratch = new Scratch();
    const { url } = await serverOf({ status, headers: ["Retry-After: 7"], body: PAGE });
    expect(await deployErrorOf(downloadInto(scratch, url))).toMatchObject({ retry: true, retryAfterMs: 7_000 });
  },
);
