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

interface Past {
  readonly build: string;
  readonly state: string;
  readonly duration_s: number;
  readonly failures: {
    readonly hosts: number;
    readonly first: readonly { readonly host: string; readonly reason: string }[];
  };
  readonly cost: { readonly hosts: number; readonly closed_connections: number } | null;
  readonly acts: readonly { readonly act: string; readonly override?: string }[];
}

const fleet = ["web-01", "web-02", "web-03"];

async function site(...settings: string[]): Promise<Yard> {
  const yard = new Yard(server.connectString);
  await yard.done("services", "set", "web", "--max", "3", "--budget", "1", ...settings);
  for (const build of ["b1", "b2", "b3"]) await yard.build("web", build);
  for (const host of fleet) await yard.host("web", host);
  return yard;
}

async function starts(yard: Yard, build: string, ...flags: string[]): Promise<void> {
  await yard.done("deploy", "web", build, "--detach", ...flags);
  for (const host of fleet) await yard.says("web", host, { step: "ready", failure: null, error: null, log: "" });
  await yard.conducts("web");
}

async function past(yard: Yard): Promise<readonly Past[]> {
  return (await yard.json<{ deploys: readonly Past[] }>("history", "web")).deploys;
}

test("what failed under a deploy is told after later deploys, with what it cost and how it ended", async () => {
  await using yard = await site();
  await starts(yard, "b1");
  await yard.serves("web", fleet);
  await starts(yard, "b2", "--why", "faster");
  await yard.fails("web", "web-01", "its check failed: http 500");
  await yard.fails("web", "web-02", `too long: ${"x".repeat(900)}`);
  await yard.conducts("web");
  await starts(yard, "b3");
  await yard.serves("web", fleet);
  const [last, middle, first] = await past(yard);
  expect(last).toMatchObject({ build: "b3", state: "done", failures: { hosts: 0, first: [] } });
  expect(middle).toMatchObject({ build: "b2", state: "halted", failures: { hosts: 2 } });
  expect(middle?.failures.first.map(({ host }) => host)).toEqual(["web-01", "web-02"]);
  expect(middle?.failures.first[0]?.reason).toBe("its check failed: http 500");
  // What a record keeps of a reason is bounded.
  expect(middle?.failures.first[1]?.reason.length).toBe(200);
  expect(first).toMatchObject({ build: "b1", state: "done", cost: { hosts: 3, closed_connections: 6 } });
  const { stdout } = await yard.ctl(["history", "web"]);
  for (const line of stdout.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(100);
  expect(stdout).toMatch(/^\S+ \S+ +b2 +✗ halted +\d+s +2 +/m);
  expect(stdout).toMatch(/^ {2}\S+ of b2, after b1: faster$/m);
  expect(stdout).toContain("2 hosts failed; web-01: its check failed: http 500");
});

test("what failed is told while the deploy is under way", async () => {
  await using yard = await site();
  await starts(yard, "b1");
  await yard.fails("web", "web-01", "its check failed");
  await yard.conducts("web");
  const [deploy] = await past(yard);
  expect(deploy).toMatchObject({ state: "rolling", failures: { hosts: 1, first: [{ host: "web-01" }] } });
});

test("a host that fails after the end is counted, too", async () => {
  await using yard = await site();
  await starts(yard, "b1");
  for (const host of ["web-01", "web-02"]) await yard.fails("web", host, "its check failed");
  await yard.conducts("web");
  expect((await past(yard))[0]).toMatchObject({ state: "halted", failures: { hosts: 2 } });
  await yard.fails("web", "web-03", "its check failed, too");
  await yard.conducts("web");
  expect((await past(yard))[0]?.failures.first.map(({ host }) => host)).toEqual(fleet);
});

test("an urgent deploy leaves what failed under the one that it ends", async () => {
  await using yard = await site();
  await starts(yard, "b1");
  await yard.fails("web", "web-01", "its check failed");
  await yard.conducts("web");
  await starts(yard, "b2", "--urgent");
  await yard.serves("web", fleet);
  expect((await past(yard))[1]).toMatchObject({ build: "b1", state: "aborted", failures: { hosts: 1 } });
});

test("failures of the way there and of the way back are counted together", async () => {
  await using yard = await site();
  await starts(yard, "b1");
  await yard.serves("web", fleet);
  await starts(yard, "b2");
  await yard.fails("web", "web-01", "b2 is bad");
  await yard.conducts("web");
  await yard.serves("web", ["web-02", "web-03"]);
  await yard.done("rollback", "web", "b2", "--detach");
  const [deploy] = await past(yard);
  expect(deploy).toMatchObject({ state: "rolling back", failures: { hosts: 1, first: [{ reason: "b2 is bad" }] } });
});

test("who paused it, who overrode a freeze and why is told", async () => {
  await using yard = await site();
  await yard.done("freeze", "web", "--why", "Christmas");
  await starts(yard, "b1", "--override", "it is on fire");
  await yard.done("pause", "web", "--why", "db is slow");
  const { stdout } = await yard.ctl(["history", "web"]);
  expect(stdout).toMatch(/started by ana@laptop at [\d:]{8} \(overriding: it is on fire\)/);
  expect(stdout.replaceAll(/\s+/g, " ")).toMatch(/paused by ana@laptop at [\d:]{8} \(db is slow\)/);
  expect((await past(yard))[0]?.acts.map(({ act }) => act)).toEqual(["started", "paused"]);
});
