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

interface Plan {
  readonly schema: string;
  readonly changes: boolean;
  readonly deploy: string;
  readonly refusals: readonly { readonly code: string; readonly message: string; readonly hint: string }[];
  readonly stages: readonly {
    readonly stage: string;
    readonly hosts: string[];
    readonly waves: string[][];
    readonly wait: unknown;
  }[];
  readonly special: unknown;
  readonly duration_s: number | null;
  readonly basis: unknown;
  readonly back: unknown;
  readonly served: string | null;
  readonly waits: readonly string[];
  readonly between: {
    readonly direction: string;
    readonly builds: readonly { readonly build: string; readonly commit: string | null }[];
  };
  readonly existing: unknown;
}

const fleet = ["web-01", "web-02", "web-03", "web-04", "web-05"];

/** A service of five hosts, the first a canary, in two zones, that serves b1; b2 and b3 were added since. */
async function site(...settings: string[]): Promise<Yard> {
  const yard = new Yard(server.connectString);
  await yard.done("services", "set", "web", "--max", "2", "--soak-s", "5", ...settings);
  for (const [at, build] of ["b1", "b2", "b3"].entries())
    await yard.build("web", build, { commit: `c${at + 1}`, author: "ana" });
  for (const [at, host] of fleet.entries()) {
    await yard.host("web", host, { role: at === 0 ? "canary" : "fleet", zone: at % 2 === 0 ? "a" : "b" });
  }
  await yard.done("deploy", "web", "b1", "--detach");
  for (const host of fleet) await yard.says("web", host, { step: "ready", build: null });
  await yard.conducts("web");
  await yard.serves("web", fleet, 3000);
  return yard;
}

test("a plan tells stages, waves, time, what lies between and the way back, and changes nothing", async () => {
  await using yard = await site();
  const before = await yard.done("history", "web", "--json");
  const run = await yard.ctl(["plan", "web", "b3", "--stages", "canary,100%", "--json"]);
  expect(run).toMatchObject({ code: 1, stderr: "" });
  expect(JSON.parse(run.stdout)).toMatchObject({
    schema: "deployd.ctl.plan/1",
    changes: true,
    refusals: [],
    stages: [
      { stage: "canary", hosts: ["web-01"], waves: [["web-01"]], wait: "promote" },
      {
        stage: "100%",
        hosts: fleet.slice(1),
        waves: [
          ["web-02", "web-03"],
          ["web-04", "web-05"],
        ],
        wait: null,
      },
    ],
    // Three waves of three seconds and five of soak.
    duration_s: 24,
    basis: { host_s: 3, hosts: 5, as: "median" },
    served: "b1",
    back: { build: "b1", barred: false },
    between: {
      direction: "forward",
      builds: [
        { build: "b2", commit: "c2" },
        { build: "b3", commit: "c3" },
      ],
    },
  });
  expect(await yard.done("history", "web", "--json")).toBe(before);
});

test("a plan for people fits in 100 columns and says how to do it", async () => {
  await using yard = await site();
  const { stdout } = await yard.ctl(["plan", "web", "b3", "--stages", "canary,50%/5m,100%"]);
  for (const line of stdout.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(100);
  expect(stdout).toContain("web b3: 5 of 5 hosts would change, in 3 stages. This is a plan; nothing was changed.");
  expect(stdout).toMatch(/^50%\/5m +2 +2 hosts at once +after 5m$/m);
  expect(stdout).toContain("a rollback would go back to b1");
  // Which hosts are half of the fleet depends on the deploy's id.
  expect(stdout).toMatch(/deployd ctl deploy web b3 --id \d{8}-\d{6}-[0-9a-f]{4}$/m);
});

test("the deploy under the planned id comes to the planned hosts", async () => {
  await using yard = await site();
  const stages = ["--stages", "50%/promote,100%"];
  const plan = await yard.json<Plan>("plan", "web", "b2", ...stages);
  await yard.done("deploy", "web", "b2", ...stages, "--id", plan.deploy, "--detach");
  const status = await yard.json<{ deploy: { progress: { hosts: number } } }>("status", "web");
  expect(status.deploy.progress.hosts).toBe(plan.stages[0]?.hosts.length ?? 0);
  expect(await yard.json<Plan>("plan", "web", "b2", ...stages, "--id", plan.deploy)).toMatchObject({
    existing: { state: "preparing" },
  });
});

test("what every host serves already would change nothing, which is 0", async () => {
  await using yard = await site();
  const { code, stdout } = await yard.ctl(["plan", "web", "b1"]);
  expect(code).toBe(0);
  expect(stdout).toContain("none of 5 hosts would change");
});

test("everything that refuses it is told at once, and the exit code is that of the first", async () => {
  await using yard = await site();
  await yard.done("deploy", "web", "b2", "--why", "slow", "--detach");
  await yard.done("builds", "bar", "web", "b3", "--why", "leaks");
  await yard.done("services", "set", "web", "--windows", "mon 00:00-00:01 UTC");
  await yard.done("freeze", "web", "--why", "Christmas");
  for (const host of ["web-01"]) await yard.done("hosts", "role", "web", host, "fleet");
  const saturday = () => new Date("2026-11-28T12:00:00Z");
  const run = await yard.ctl(["plan", "web", "b3", "--stages", "canary,zone:q,100%", "--json"], saturday);
  const { refusals } = JSON.parse(run.stdout) as Plan;
  expect(refusals.map(({ code }) => code)).toEqual([
    "build-barred",
    "frozen",
    "frozen",
    "deploy-running",
    "usage",
    "usage",
  ]);
  const told = refusals.map(({ message }) => message).join("\n");
  expect(told).toContain("leaks");
  expect(told).toContain("Christmas");
  expect(told).toContain("the next one opens at 2026-11-30T00:00:00.000Z");
  expect(told).toMatch(/deploy \S+ of "b2" by ana@laptop is preparing/);
  expect(told).toContain("none of its 5 hosts is a canary");
  expect(told).toContain('in the zone "q"; there are: a, b');
  expect(run.code).toBe(75);
  // A deploy is refused for the first of them.
  const deploy = await yard.ctl(["deploy", "web", "b3", "--stages", "canary,zone:q,100%", "--detach"], saturday);
  expect(deploy.stderr).toContain(refusals[0]?.message ?? "?");
  const unknown = await yard.ctl(["plan", "web", "b33"], saturday);
  expect(unknown).toMatchObject({ code: 64 });
  expect(unknown.stdout).toMatch(/✗ There is no build "b33"[^]*Did you mean "b3"\?/);
});

test("with --urgent it says whom it would overtake, and with --override nothing is closed", async () => {
  await using yard = await site();
  await yard.done("freeze", "web", "--why", "Christmas");
  await yard.done("deploy", "web", "b2", "--override", "fire", "--detach");
  const { code, stdout } = await yard.ctl(["plan", "web", "b3", "--urgent", "--override", "fire"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/! it would end deploy \S+ of b2 by ana@laptop, which is preparing/);
  expect(stdout).not.toContain("✗");
});

test("hosts that are away, held or ill are told with what it means for them", async () => {
  await using yard = await site();
  await yard.away("web-05");
  await yard.done("hosts", "hold", "web", "web-04", "--why", "kernel", "--detach");
  await yard.conducts("web");
  const ill = { since: new Date().toISOString(), why: "its check failed", forS: 1 };
  await yard.says("web", "web-03", { build: "b1", step: "serving", health: "unhealthy", ill });
  const plan = await yard.json<Plan>("plan", "web", "b2");
  expect(plan.special).toEqual([
    { host: "web-03", is: "unhealthy" },
    { host: "web-04", is: "held" },
    { host: "web-05", is: "unreachable" },
  ]);
  // Two may be out: one is held and one is ill, so that only who is ill can go first.
  expect(plan.stages[0]?.waves).toEqual([["web-03"], ["web-01"], ["web-02"]]);
  const { stdout } = await yard.ctl(["plan", "web", "b2"]);
  expect(stdout).toContain("! web-05 is unreachable: not waited for");
  expect(stdout).toContain("! web-04 (by ana@laptop) is held");
  expect(stdout).toContain("! web-03 (its check failed) is unhealthy");
});

test("without a deploy that was done there is no basis for a time, and nothing to go back to", async () => {
  await using yard = new Yard(server.connectString);
  await yard.done("services", "set", "web");
  await yard.build("web", "b1");
  await yard.host("web", "web-01");
  const { code, stdout } = await yard.ctl(["plan", "web", "b1"]);
  expect(code).toBe(1);
  expect(stdout).toContain("no basis yet");
  expect(stdout).toContain("nothing was served before it");
});

test("what other services forbid now is told before it begins", async () => {
  await using yard = await site();
  await yard.done("services", "set", "db", "--new");
  await yard.build("db", "d1");
  await yard.host("db", "db-01");
  await yard.done("services", "set", "web", "--after", "db");
  expect((await yard.json<Plan>("plan", "web", "b2")).waits).toEqual([]);
  await yard.done("deploy", "db", "d1", "--detach");
  expect((await yard.json<Plan>("plan", "web", "b2")).waits).toEqual([
    'it would not begin yet: it waits for "db", which is preparing',
  ]);
});

test("the way back to an older build says what would be undone", async () => {
  await using yard = await site();
  await yard.done("deploy", "web", "b3", "--detach");
  for (const host of fleet) await yard.says("web", host, { step: "ready" });
  await yard.conducts("web");
  await yard.serves("web", fleet);
  await yard.done("builds", "bar", "web", "b1");
  const plan = await yard.json<Plan>("plan", "web", "b2");
  expect(plan.between).toMatchObject({ direction: "back", builds: [{ build: "b3" }] });
  expect(plan.back).toEqual({ build: "b3", barred: false });
});
