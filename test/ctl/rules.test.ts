import { afterAll, beforeAll, expect, test } from "bun:test";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { Yard } from "./yard.ts";

let server: SharedZooKeeper;
beforeAll(async () => {
  server = await sharedZooKeeper();
});
afterAll(async () => {
  await server.stop();
});

interface Shown {
  readonly settings: {
    readonly windows: string[];
    readonly after: string[];
    readonly not_while: string[];
    readonly exclusive: boolean;
    readonly notify: string[];
  };
}

/** A tree with these services. */
async function services(...names: string[]): Promise<Yard> {
  const yard = new Yard(server.connectString);
  for (const name of names) await yard.done("services", "set", name, "--new");
  return yard;
}

const rules = async (yard: Yard, service: string): Promise<Shown["settings"]> =>
  (await yard.json<Shown>("services", "show", service)).settings;

test("windows and rules between services are set, shown, listed, kept and taken away", async () => {
  await using yard = await services("web", "db", "cache");
  const windows = "mon-fri 09:00-17:00 Europe/Berlin;  sat 10:00-12:00 UTC";
  const { code, stdout } = await yard.ctl([
    "services",
    "set",
    "web",
    "--windows",
    windows,
    "--after",
    "db,cache",
    "--exclusive",
    "yes",
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain("windows mon-fri 09:00-17:00 Europe/Berlin; sat 10:00-12:00 UTC");
  expect(stdout).toContain("after db, cache");
  // What is not named stays.
  await yard.done("services", "set", "web", "--not-while", "db");
  expect(await rules(yard, "web")).toMatchObject({
    windows: ["mon-fri 09:00-17:00 Europe/Berlin", "sat 10:00-12:00 UTC"],
    after: ["db", "cache"],
    not_while: ["db"],
    exclusive: true,
  });
  expect((await yard.ctl(["services", "list"])).stdout).toMatch(
    /^web .* 2 windows, after db, cache, not while db, exclusive$/m,
  );
  await yard.done("services", "set", "web", "--windows", "none", "--after", "none", "--exclusive", "no");
  expect(await rules(yard, "web")).toMatchObject({ windows: [], after: [], not_while: ["db"], exclusive: false });
});

test("who is told is named, shown and taken away", async () => {
  await using yard = await services("web");
  const { stdout } = await yard.ctl(["services", "set", "web", "--notify", "ops, chat,ops"]);
  expect(stdout).toContain("notify ops, chat (told by whoever conducts)");
  await yard.done("services", "set", "web", "--max", "2");
  expect(await rules(yard, "web")).toMatchObject({ notify: ["ops", "chat"] });
  await yard.done("services", "set", "web", "--notify", "none");
  expect(await rules(yard, "web")).toMatchObject({ notify: [] });
  expect((await yard.ctl(["services", "show", "web"])).stdout).not.toContain("notify");
});

test.each([
  ["--windows", "mon-fri 9-17 Europe/Berlin", "9-17"],
  ["--windows", "mon 09:00-17:00 Berlin", "Europe/Berlin"],
  ["--windows", "mon 09:00-17:00 UTC;; tue 09:00-17:00 UTC", "days, hours and a time zone"],
  ["--after", "bd", 'Did you mean "db"?'],
  ["--not-while", "db,quax", 'there is no service "quax"'],
  ["--after", "web", "wait for itself"],
  ["--not-while", "../x", "service name"],
  ["--exclusive", "maybe", "maybe"],
  ["--notify", "../x", "target name"],
  ["--notify", "a,b,c,d,e,f,g,h,i", "at most 8 targets are told"],
])("%s %p is refused with what is wrong with it", async (flag, value, said) => {
  await using yard = await services("web", "db");
  const { code, stderr } = await yard.ctl(["services", "set", "web", flag, value]);
  expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringContaining(said) });
  expect(await rules(yard, "web")).toMatchObject({ windows: [], after: [], not_while: [] });
});

test("services that would come after each other in a circle are refused, those that exclude each other are not", async () => {
  await using yard = await services("web", "db", "cache");
  await yard.done("services", "set", "web", "--after", "db");
  await yard.done("services", "set", "db", "--after", "cache");
  const { code, stderr } = await yard.ctl(["services", "set", "cache", "--after", "web"]);
  expect({ code, stderr }).toEqual({
    code: 64,
    stderr: expect.stringContaining("cache, after web, after db, after cache"),
  });
  expect(await rules(yard, "cache")).toMatchObject({ after: [] });
  await yard.done("services", "set", "cache", "--not-while", "web");
});

/** `web` on two hosts, with a deploy of which both are ready. */
async function waiting(): Promise<Yard> {
  const yard = await services("web", "db");
  await yard.build("web", "b1");
  await yard.build("db", "d1");
  for (const host of ["web-01", "web-02"]) await yard.host("web", host);
  await yard.host("db", "db-01");
  await yard.done("deploy", "web", "b1", "--detach");
  for (const host of ["web-01", "web-02"]) await yard.says("web", host, { step: "ready" });
  return yard;
}

const waits = async (yard: Yard): Promise<string[]> => (await yard.json<{ waits: string[] }>("status", "web")).waits;

test("status says for which service a deploy waits", async () => {
  await using yard = await waiting();
  expect(await waits(yard)).toEqual([]);
  await yard.done("deploy", "db", "d1", "--detach");
  await yard.done("services", "set", "web", "--after", "db");
  expect(await waits(yard)).toEqual(['it waits for "db", which is preparing']);
  expect((await yard.ctl(["status", "web"])).stdout).toContain('! it waits for "db", which is preparing');
  expect((await yard.ctl(["status"])).stdout).toContain('it waits for "db", which is preparing');
});

test("status says which hosts are out of service for another service", async () => {
  await using yard = await waiting();
  await yard.host("db", "web-01");
  await yard.done("services", "set", "db", "--exclusive", "yes");
  await yard.done("deploy", "db", "d1", "--detach");
  await yard.says("db", "web-01", { step: "ready" });
  await yard.conducts("db");
  expect(await waits(yard)).toEqual(['web-01 waits for "db", for which the host is out of service']);
});

test("status says which hosts are held, and that they leave no room for others", async () => {
  await using yard = await waiting();
  await yard.done("hosts", "hold", "web", "web-02", "--why", "new kernel", "--detach");
  await yard.conducts("web");
  expect(await waits(yard)).toEqual([
    "1 host is held (web-02), and at most 1 may be out at once",
    "web-02 is held by ana@laptop: new kernel; no deploy comes to it until it is released",
  ]);
});
