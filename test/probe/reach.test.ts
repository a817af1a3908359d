import { describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { probeHttp } from "../../src/probe/http.ts";
import { post } from "../../src/probe/post.ts";
import { type Asking, type HostNames, reach } from "../../src/probe/reach.ts";
import { probeTcp } from "../../src/probe/tcp.ts";
import { ASKING, asked } from "../harness/asking.ts";
import { networkNamespace } from "../harness/netns.ts";

const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;

/** A host with two addresses, where names are what a table says. */
function names(table: Readonly<Record<string, readonly string[]>> = {}): HostNames {
  return {
    lookup: async (name) => table[name] ?? Promise.reject(Object.assign(new Error("unknown"), { code: "ENOTFOUND" })),
    own: () => ["127.0.0.1", "::1", "10.9.9.9", "fd00::9", "169.254.169.254", "fe80::9"],
  };
}

async function isReached(host: string, hosts: Asking["hosts"] = [], table: Parameters<typeof names>[0] = {}) {
  return "addresses" in (await reach(host, { hosts, quotesAnswers: false }, names(table)));
}

describe("without a word of the host's own, a build asks", () => {
  test.each(["127.0.0.1", "127.4.5.6", "[::1]", "10.9.9.9", "[fd00::9]", "[::ffff:10.9.9.9]", "0.0.0.0", "[::]"])(
    "this host: %s",
    async (host) => {
      expect(await isReached(host)).toBe(true);
    },
  );

  test.each([
    "10.9.9.8",
    "192.0.2.1",
    // Where clouds answer with credentials, also from an address on an interface of the machine.
    "169.254.169.254",
    "169.254.170.2",
    "[::ffff:169.254.169.254]",
    "[fe80::9]",
    "[fd00:ec2::254]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
  ])("nobody else: %s", async (host) => {
    expect(await isReached(host)).toBe(false);
  });

  test("a name that means only this host", async () => {
    const table = {
      web: ["127.0.0.1", "10.9.9.9"],
      mixed: ["127.0.0.1", "192.0.2.1"],
      cloud: ["169.254.169.254"],
      odd: ["fe80::1%eth0"],
      nothing: [],
    };
    expect(await isReached("web", [], table)).toBe(true);
    for (const name of ["mixed", "cloud", "odd", "nothing", "unknown"])
      expect(await isReached(name, [], table)).toBe(false);
  });
});

test.each([
  ["192.0.2.1", ["192.0.2.1"], true],
  ["192.0.2.1", ["192.0.2.0/24"], true],
  ["[2001:db8::1]", ["2001:db8::/32"], true],
  ["192.0.2.1", ["any"], false],
  ["vip.example.com", ["vip.example.com"], true],
  ["VIP.example.com.", ["vip.example.COM"], true],
  ["evil-vip.example.com", ["vip.example.com"], false],
  ["vip.example.com", ["198.51.100.0/24"], true],
  ["vip.example.com", ["203.0.113.0/24"], false],
  ["169.254.169.254", ["169.254.169.254"], true],
] as const)("%s is asked where the host allows %p: %p", async (host, hosts, expected) => {
  const table = Object.fromEntries(["vip", "evil-vip"].map((name) => [`${name}.example.com`, ["198.51.100.7"]]));
  table["vip.example.com."] = ["198.51.100.7"];
  expect(await isReached(host, hosts, table)).toBe(expected);
});

test("the agent's own questions go anywhere", async () => {
  expect(await isReached("192.0.2.1", "any")).toBe(true);
});

test("what was looked at is what is connected to, however the name answers the next time", async () => {
  using web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => new Response(request.headers.get("host"), { status: request.method === "POST" ? 204 : 200 }),
  });
  let lookups = 0;
  const turncoat: HostNames = {
    ...names(),
    // The second answer is an address where nobody ever answers.
    lookup: async () => ((lookups += 1) === 1 ? ["127.0.0.1"] : ["192.0.2.1"]),
  };
  const effects = { ...asked, names: turncoat };
  const url = `http://service.test:${web.port}/health`;
  const spec = {
    kind: "http",
    url,
    expectStatus: [200],
    expectBody: `service.test:${web.port}`,
    timeoutMs: 5_000,
  } as const;
  const ask: readonly (() => Promise<unknown>)[] = [
    () => probeHttp(spec, signal, ASKING, effects),
    () =>
      probeTcp({ kind: "tcp", host: "service.test", port: web.port ?? 0, timeoutMs: 5_000 }, signal, ASKING, effects),
    () => post(url, signal, ASKING, effects),
  ];
  for (const question of ask) {
    lookups = 0;
    expect((await question()) || null).toBeNull();
    expect(lookups).toBe(1);
    expect(JSON.stringify(await question())).toContain("asks another host than this one");
  }
});

test("of several addresses of this host the one where somebody listens is asked", async () => {
  using web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const effects = { ...asked, names: names({ both: ["::1", "127.0.0.1"] }) };
  const spec = { kind: "http", url: `http://both:${web.port}/`, expectStatus: [200], timeoutMs: 5_000 } as const;
  expect(await probeHttp(spec, signal, ASKING, effects)).toBeNull();
  const tcp = { kind: "tcp", host: "both", port: web.port ?? 0, timeoutMs: 5_000 } as const;
  expect(await probeTcp(tcp, signal, ASKING, effects)).toBeNull();
});

test("a redirect to another host is an answer, and nobody is asked there", async () => {
  let asks = 0;
  using elsewhere = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(`${(asks += 1)}`) });
  using web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.redirect(`http://127.0.0.1:${elsewhere.port}/hunter2`, 307),
  });
  const url = `http://127.0.0.1:${web.port}/`;
  const failure = await probeHttp({ kind: "http", url, expectStatus: [200], timeoutMs: 5_000 }, signal, ASKING, asked);
  expect(failure).toMatchObject({ ok: false, reason: "http 307" });
  expect(JSON.stringify(failure)).not.toContain("hunter2");
  expect(await post(url, signal, ASKING, asked)).toBe("it answered 307");
  expect(asks).toBe(0);
});

const INSIDE = `
const { hostMachine } = await import(${JSON.stringify(join(import.meta.dir, "../../src/host/machine.ts"))});
const { systemClock } = await import(${JSON.stringify(join(import.meta.dir, "../../src/support/clock.ts"))});
let asked = 0;
Bun.serve({ port: 80, hostname: "169.254.169.254", fetch: () => new Response(String(asked += 1) + " SECRET") });
Bun.serve({ port: 8080, hostname: "10.5.5.5", fetch: () => new Response("ok") });
const { probes } = hostMachine(systemClock, {}, {});
const { signal } = new AbortController();
const asking = { hosts: [], quotesAnswers: true };
const said = [];
for (const host of ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]", "metadata.test"]) {
  const url = "http://" + host + "/";
  said.push(await probes.http({ kind: "http", url, expectStatus: [418], timeoutMs: 2000 }, signal, asking));
  said.push(await probes.tcp({ kind: "tcp", host, port: 80, timeoutMs: 2000 }, signal, asking));
  said.push({ reason: (await probes.post(url, signal, asking)).replace(/ \\(.*/, "") });
}
for (const host of ["10.5.5.5", "web.test"]) {
  said.push(await probes.http({ kind: "http", url: "http://" + host + ":8080/", expectStatus: [200], timeoutMs: 2000 }, signal, asking));
  said.push(await probes.tcp({ kind: "tcp", host, port: 8080, timeoutMs: 2000 }, signal, asking));
}
console.log(JSON.stringify({ asked, reasons: said.map((each) => each?.reason ?? null) }));
process.exit(0);
`;

test.if(isRoot)(
  "on a real network the host's own addresses are asked, and a cloud's never, however they are spelled",
  async () => {
    await using inside = await networkNamespace();
    for (const address of ["169.254.169.254/32", "10.5.5.5/32"])
      await inside.must(["ip", "addr", "add", address, "dev", "lo"]);
    const files = join("/etc/netns", inside.name);
    await mkdir(files, { recursive: true });
    try {
      await writeFile(join(files, "hosts"), "127.0.0.1 localhost\n169.254.169.254 metadata.test\n10.5.5.5 web.test\n");
      const said = JSON.parse(await inside.must([process.execPath, "-e", INSIDE])) as {
        asked: number;
        reasons: unknown[];
      };
      expect(said).toEqual({
        asked: 0,
        reasons: [...Array.from({ length: 18 }, () => "asks another host than this one"), null, null, null, null],
      });
    } finally {
      await rm(files, { recursive: true });
    }
  },
);
