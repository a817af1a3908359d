import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { pathToFileURL } from "node:url";
import { DeployError } from "../../src/core/errors.ts";
import { type DownloadRequest } from "../../src/fetch/download.ts";
import { deployErrorOf, never, Scratch } from "./scratch.ts";
import { download } from "../harness/real_time.ts";

const BUILD = Buffer.alloc(700_000, "the bytes of a build, ");
const TIMEOUT = { idleTimeoutMs: 300 };

interface Seen {
  readonly path: string;
  readonly range: string | null;
  readonly authorization: string | null;
}

const seen: Seen[] = [];

function rangeOf(request: Request): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
}

const other = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    seen.push({
      path: `other${new URL(request.url).pathname}`,
      range: null,
      authorization: request.headers.get("authorization"),
    });
    return new Response(BUILD);
  },
});

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const url = new URL(request.url);
    seen.push({
      path: url.pathname,
      range: request.headers.get("range"),
      authorization: request.headers.get("authorization"),
    });
    const from = rangeOf(request);
    switch (url.pathname) {
      case "/builds/ranges": {
        if (from === 0) return new Response(BUILD);
        const headers = { "content-range": `bytes ${from}-${BUILD.length - 1}/${BUILD.length}` };
        return new Response(BUILD.subarray(from), { status: 206, headers });
      }
      case "/builds/no-ranges":
        return new Response(BUILD);
      case "/builds/wrong-range":
        return new Response(BUILD, { status: 206, headers: { "content-range": `bytes 0-9/${BUILD.length}` } });
      case "/builds/longer-range":
        return new Response("x", { status: 206, headers: { "content-range": `bytes ${from}-999999999/1000000000` } });
      case "/builds/no-such-range":
        return from > 0 ? new Response("", { status: 416 }) : new Response(BUILD);
      case "/builds/always-416":
        return new Response("", { status: 416 });
      case "/builds/status":
        return new Response("no", { status: Number(url.searchParams.get("code")) });
      case "/builds/to":
        return new Response(null, { status: 302, headers: { location: url.searchParams.get("url") ?? "" } });
      case "/builds/loop":
        return Response.redirect("/builds/loop");
      case "/builds/no-location":
        return new Response(null, { status: 302 });
      case "/builds/chunked-forever": {
        const part = new Uint8Array(64 * 1024);
        return new Response(
          new ReadableStream({
            pull(controller) {
              controller.enqueue(part);
            },
          }),
        );
      }
      default:
        return new Response("not found", { status: 404 });
    }
  },
});

/** Servers that break the protocol, which a well-behaved server library would not do. */
const sockets: Server[] = [];

async function rawServer(answer: Buffer[], then: "close" | "stay silent", cut?: AbortSignal): Promise<string> {
  const raw = createServer((socket) => {
    socket.on("error", () => undefined);
    cut?.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.once("data", () => {
      for (const part of answer) socket.write(part);
      if (then === "close") socket.end();
    });
  });
  sockets.push(raw);
  await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
  const address = raw.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return `http://127.0.0.1:${address.port}/builds/raw`;
}

function head(length: number): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`);
}

afterAll(async () => {
  for (const raw of sockets) raw.close();
  await Promise.all([server.stop(true), other.stop(true)]);
});

const ORIGIN = `http://127.0.0.1:${server.port}`;
const OTHER = `http://127.0.0.1:${other.port}`;

function ask(scratch: Scratch, url: string, more: Partial<DownloadRequest> = {}): DownloadRequest {
  return { url, into: scratch.at("spool"), size: BUILD.length, sources: [], signal: never(), ...more };
}

function spooled(scratch: Scratch): Buffer {
  return readFileSync(scratch.at("spool"));
}

describe("fetching over HTTP", () => {
  test("writes the bytes and reports the progress", async () => {
    using scratch = new Scratch();
    const progress: number[] = [];
    await download(ask(scratch, `${ORIGIN}/builds/ranges`, { onProgress: (bytes) => progress.push(bytes) }));
    expect(spooled(scratch).equals(BUILD)).toBe(true);
    expect(progress.at(-1)).toBe(BUILD.length);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  test("goes on where an attempt that was cut ended", async () => {
    using scratch = new Scratch();
    const cut = new AbortController();
    const url = await rawServer([head(BUILD.length), BUILD.subarray(0, 250_000)], "stay silent", cut.signal);
    const error = await deployErrorOf(download(ask(scratch, url, { onProgress: () => cut.abort() })));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    const kept = spooled(scratch).length;
    expect(kept).toBeGreaterThan(0);
    seen.length = 0;
    await download(ask(scratch, `${ORIGIN}/builds/ranges`));
    expect(seen).toMatchObject([{ range: `bytes=${kept}-` }]);
    expect(spooled(scratch).equals(BUILD)).toBe(true);
  });

  test("begins anew when the server ignores the range", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("spool"), "something old that is not the beginning");
    await download(ask(scratch, `${ORIGIN}/builds/no-ranges`));
    expect(spooled(scratch).equals(BUILD)).toBe(true);
  });

  test("begins anew when the server has no such range", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("spool"), "old");
    await download(ask(scratch, `${ORIGIN}/builds/no-such-range`));
    expect(spooled(scratch).equals(BUILD)).toBe(true);
  });

  test("fails when the server answers 416 to everything", async () => {
    using scratch = new Scratch();
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/always-416`)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: false });
  });

  test("begins anew the next time when the server sends another range", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("spool"), "old");
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/wrong-range`)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    expect(spooled(scratch)).toHaveLength(0);
  });

  test("asks nothing when the file is there already", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("spool"), BUILD);
    seen.length = 0;
    await download(ask(scratch, `${ORIGIN}/builds/ranges`));
    expect(seen).toEqual([]);
  });

  test("a file that is longer than the build is fetched again", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("spool"), Buffer.alloc(BUILD.length + 1));
    await download(ask(scratch, `${ORIGIN}/builds/ranges`));
    expect(spooled(scratch).equals(BUILD)).toBe(true);
  });

  test("a server that announces more is refused before its first byte", async () => {
    using scratch = new Scratch();
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/ranges`, { size: 1_000 })));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    expect(error.message).toContain("expected 1000 bytes, but it has 700000");
    expect(spooled(scratch)).toHaveLength(0);
  });

  test("a range that belongs to something longer is refused", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("spool"), "old");
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/longer-range`)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
  });

  test("a server that announces nothing and never ends is stopped at the size", async () => {
    using scratch = new Scratch();
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/chunked-forever`)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    expect(spooled(scratch)).toHaveLength(0);
  });

  test("a server that announces less is refused before its first byte", async () => {
    using scratch = new Scratch();
    const size = BUILD.length + 1;
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/ranges`, { size })));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    expect(error.message).toContain(`expected ${size} bytes, but it has ${BUILD.length}`);
    expect(spooled(scratch)).toHaveLength(0);
  });

  test("a server that falls silent is given up, and what came is kept", async () => {
    using scratch = new Scratch();
    const url = await rawServer([head(BUILD.length), BUILD.subarray(0, 1_000)], "stay silent");
    const error = await deployErrorOf(download(ask(scratch, url, TIMEOUT)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    expect(error.message).toContain(`no byte came for 300 ms, after 1000 of ${BUILD.length} bytes`);
    expect(spooled(scratch)).toHaveLength(1_000);
  });

  test("a server that never answers is given up", async () => {
    using scratch = new Scratch();
    const error = await deployErrorOf(download(ask(scratch, await rawServer([], "stay silent"), TIMEOUT)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
  });

  test("a server that is slow but steady is waited for", async () => {
    using scratch = new Scratch();
    const slow = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(
          (async function* () {
            for (let part = 0; part < 10; part += 1) {
              await Bun.sleep(80);
              yield BUILD.subarray(part * 10, part * 10 + 10);
            }
          })(),
        ),
    });
    try {
      await download(ask(scratch, `http://127.0.0.1:${slow.port}/`, { size: 100, idleTimeoutMs: 600 }));
      expect(spooled(scratch).equals(BUILD.subarray(0, 100))).toBe(true);
    } finally {
      await slow.stop(true);
    }
  });

  test("no server at all may be tried again", async () => {
    using scratch = new Scratch();
    const gone = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const url = `http://127.0.0.1:${gone.port}/builds/x?token=hunter2`;
    await gone.stop(true);
    const error = await deployErrorOf(download(ask(scratch, url)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: true });
    expect(Bun.inspect(error)).not.toContain("hunter2");
  });

  test("garbage in the place of HTTP fails", async () => {
    using scratch = new Scratch();
    const url = await rawServer([Buffer.from("SSH-2.0-OpenSSH_9.6\r\n")], "close");
    expect((await deployErrorOf(download(ask(scratch, url, TIMEOUT)))).code).toBe("fetch-failed");
  });

  for (const [status, retry] of [
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [410, false],
    [408, true],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
  ] as const) {
    test(`status ${status} ${retry ? "may be tried again" : "is final"}, and is named without what is secret`, async () => {
      using scratch = new Scratch();
      const url = `${ORIGIN.replace("//", "//me:hunter2@")}/builds/status?code=${status}&token=hunter2`;
      const error = await deployErrorOf(download(ask(scratch, url)));
      expect(error).toMatchObject({
        code: "fetch-failed",
        retry,
        message: `Cannot fetch ${ORIGIN}/builds/status: the server answered ${status}.`,
      });
      expect(error.hint).not.toBe("");
      expect(Bun.inspect(error)).not.toContain("hunter2");
    });
  }

  test("an aborted signal stops a transfer", async () => {
    using scratch = new Scratch();
    const url = await rawServer([head(BUILD.length), BUILD.subarray(0, 1_000)], "stay silent");
    const abort = new AbortController();
    const request = ask(scratch, url, { signal: abort.signal, onProgress: () => abort.abort() });
    expect((await deployErrorOf(download(request))).code).toBe("aborted");
  });

  test("a signal that was aborted before stops it before the first request", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    const request = ask(scratch, `${ORIGIN}/builds/ranges`, { signal: AbortSignal.abort() });
    expect((await deployErrorOf(download(request))).code).toBe("aborted");
    expect(seen).toEqual([]);
    expect(existsSync(request.into)).toBe(false);
  });

  test("a symlink in the place of the spool is not followed", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("victim"), "untouched");
    symlinkSync("victim", scratch.at("spool"));
    expect((await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/ranges`)))).code).toBe("internal");
    expect(readFileSync(scratch.at("victim"), "utf8")).toBe("untouched");
  });
});

describe("redirects", () => {
  const sources = [`${ORIGIN}/builds`];
  const to = (url: string): string => `${ORIGIN}/builds/to?url=${encodeURIComponent(url)}`;

  test("inside the policy are followed", async () => {
    using scratch = new Scratch();
    await download(ask(scratch, to("ranges"), { sources }));
    expect(spooled(scratch).equals(BUILD)).toBe(true);
  });

  for (const url of [`${OTHER}/builds/x`, `${ORIGIN}/elsewhere`, `${ORIGIN}/builds/../elsewhere`]) {
    test(`to ${url.replace(/:\d+/, "")} are refused, and nothing is asked there`, async () => {
      using scratch = new Scratch();
      seen.length = 0;
      const error = await deployErrorOf(download(ask(scratch, to(url), { sources })));
      expect(error.code).toBe("policy-refused");
      expect(seen.map((request) => request.path)).toEqual(["/builds/to"]);
    });
  }

  test("to a file are refused even without a policy", async () => {
    using scratch = new Scratch();
    expect((await deployErrorOf(download(ask(scratch, to("file:///etc/passwd"))))).code).toBe("policy-refused");
  });

  test("in a circle end", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/loop`)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: false });
    expect(seen).toHaveLength(6);
  });

  test("to nowhere fail", async () => {
    using scratch = new Scratch();
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/no-location`)));
    expect(error).toMatchObject({ code: "fetch-failed", retry: false });
  });

  test("do not carry the credentials to another server", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    await download(ask(scratch, to(`${OTHER}/x`).replace("//", "//me:word@")));
    expect(seen.map((request) => request.authorization)).toEqual([`Basic ${btoa("me:word")}`, null]);
  });
});

describe("the host's own credentials", () => {
  const to = (url: string): string => `${ORIGIN}/builds/to?url=${encodeURIComponent(url)}`;
  const loginAt: DownloadRequest["loginAt"] = async (url) =>
    url.origin === ORIGIN
      ? [["authorization", "Bearer ours"]]
      : url.pathname === "/known"
        ? [["authorization", "x"]]
        : [];

  test("are sent to the source, with each request, and to no other that it redirects to", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    await download(ask(scratch, to(to(`${OTHER}/x`)), { loginAt }));
    expect(seen.map(({ authorization }) => authorization)).toEqual(["Bearer ours", "Bearer ours", null]);
  });

  test("of another source are sent to that one, and to it alone", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    await download(ask(scratch, to(`${OTHER}/known`), { loginAt }));
    expect(seen.map(({ authorization }) => authorization)).toEqual(["Bearer ours", "x"]);
  });

  test("go before those of an older build's URL", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    await download(ask(scratch, `${ORIGIN}/builds/ranges`.replace("//", "//me:word@"), { loginAt }));
    expect(seen.map(({ authorization }) => authorization)).toEqual(["Bearer ours"]);
  });

  test("that cannot be read end the download before anybody is asked", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    const unreadable = () => Promise.reject(new DeployError("Cannot log in.", { code: "config-invalid" }));
    const error = await deployErrorOf(download(ask(scratch, `${ORIGIN}/builds/ranges`, { loginAt: unreadable })));
    expect(error.code).toBe("config-invalid");
    expect(seen).toEqual([]);
  });
});

describe("what is never fetched", () => {
  test("a source outside the policy, without asking for it", async () => {
    using scratch = new Scratch();
    seen.length = 0;
    const request = ask(scratch, `${ORIGIN}/elsewhere?token=hunter2`, { sources: [`${ORIGIN}/builds`] });
    const error = await deployErrorOf(download(request));
    expect(error).toMatchObject({ code: "policy-refused", retry: false });
    expect(error.explained).not.toContain("hunter2");
    expect(seen).toEqual([]);
    expect(existsSync(request.into)).toBe(false);
  });

  for (const url of ["ftp://127.0.0.1/x", "data:text/plain,x", "javascript:1", "s3://bucket/key"]) {
    test(`${url}: its scheme is refused`, async () => {
      using scratch = new Scratch();
      expect((await deployErrorOf(download(ask(scratch, url)))).code).toBe("policy-refused");
    });
  }

  test("what is no URL", async () => {
    using scratch = new Scratch();
    expect((await deployErrorOf(download(ask(scratch, "builds/web.tar")))).code).toBe("fetch-failed");
  });
});

function source(scratch: Scratch, name: string): string {
  return pathToFileURL(scratch.at(name)).href;
}

describe("fetching a file", () => {
  test("copies it, and replaces what an earlier attempt left", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("a build"), BUILD);
    writeFileSync(scratch.at("spool"), "old");
    await download(ask(scratch, source(scratch, "a build"), { sources: [`file://${scratch.path}`] }));
    expect(spooled(scratch).equals(BUILD)).toBe(true);
  });

  test("refuses one outside the policy, and one that a symlink leads outside", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("builds"));
    writeFileSync(scratch.at("secret"), BUILD);
    symlinkSync("../secret", scratch.at("builds", "link"));
    const sources = [source(scratch, "builds")];
    for (const name of ["secret", "builds/link", "builds/%2e%2e/secret", "builds/..%2fsecret"]) {
      const url = `file://${scratch.path}/${name}`;
      expect((await deployErrorOf(download(ask(scratch, url, { sources })))).code).toBe("policy-refused");
    }
  });

  test("is not led out of the policy by who swaps a directory for a link, over and over", async () => {
    using scratch = new Scratch();
    for (const name of ["secret", "builds/a"]) mkdirSync(scratch.at(name), { recursive: true });
    writeFileSync(scratch.at("secret", "b"), "secret");
    writeFileSync(scratch.at("builds", "a", "b"), "public");
    symlinkSync("../secret", scratch.at("builds", "link"));
    // renameat2(2) with RENAME_EXCHANGE: there is always one of the two.
    const program = `
import ctypes, os, sys
libc, d = ctypes.CDLL(None), os.fsencode(sys.argv[1])
print("ready", flush=True)
while True: libc.renameat2(-100, d + b"/link", -100, d + b"/a", 2)
`;
    const adversary = Bun.spawn(["python3", "-c", program, scratch.at("builds")], { stdout: "pipe" });
    try {
      await adversary.stdout.getReader().read();
      const found = { public: 0, refused: 0 };
      for (let tries = 0; tries < 1_000; tries += 1) {
        rmSync(scratch.at("spool"), { force: true });
        const sources = [source(scratch, "builds")];
        const fetched = download(ask(scratch, source(scratch, "builds/a/b"), { sources, size: 6 }));
        const code = await fetched.then(
          () => "",
          (error: unknown) => (error instanceof DeployError ? error.code : "another error"),
        );
        if (code === "") expect(spooled(scratch).toString()).toBe("public");
        else expect(["policy-refused", "fetch-failed"]).toContain(code);
        found[code === "" ? "public" : "refused"] += 1;
      }
      // It was really swapped, and what is allowed was fetched now and then.
      expect(found.public).toBeGreaterThan(0);
      expect(found.refused).toBeGreaterThan(0);
    } finally {
      adversary.kill("SIGKILL");
      await adversary.exited;
    }
  });

  test("refuses what is longer and reports what is shorter as cut", async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("build"), BUILD);
    const url = source(scratch, "build");
    expect(await deployErrorOf(download(ask(scratch, url, { size: 5 })))).toMatchObject({
      message: expect.stringContaining("expected 5 bytes, but it has 700000"),
      retry: true,
    });
    expect(await deployErrorOf(download(ask(scratch, url, { size: BUILD.length + 5 })))).toMatchObject({
      code: "fetch-failed",
      retry: true,
    });
  });

  test("refuses what is missing, a directory, and a device, without waiting", async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("directory"));
    for (const url of [source(scratch, "missing"), source(scratch, "directory"), "file:///dev/zero", "file://host/x"]) {
      expect(await deployErrorOf(download(ask(scratch, url)))).toMatchObject({ code: "fetch-failed", retry: false });
    }
  });
});
