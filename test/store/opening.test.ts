import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { serviceSettingsSchema } from "../../src/schema/znodes.ts";
import { promote } from "../../src/store/change_deploy.ts";
import { freezeService, unfreezeService } from "../../src/store/freeze.ts";
import { assertOpen } from "../../src/store/opening.ts";
import { servicePath } from "../../src/store/paths.ts";
import { readService, setService } from "../../src/store/services.ts";
import { resumeDeploy, retryDeploy } from "../../src/store/stop_and_go.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { rejection } from "../harness/rejection.ts";
import { NOW, Site } from "./site.ts";

const settingsWith = (settings: Readonly<Record<string, unknown>>) => serviceSettingsSchema.parse(settings);

/** What a deploy at this time is refused with; null where it is not. */
function refusedAt(time: string, settings: Readonly<Record<string, unknown>>, override?: string): string | null {
  try {
    assertOpen("web", settingsWith(settings), null, "Cannot deploy", { now: new Date(time), override });
    return null;
  } catch (error) {
    return asDeployError(error, "").message;
  }
}

const weekdays = { windows: ["mon-fri 09:00-17:00 Europe/Berlin"] };

test.each([
  // In winter Berlin is an hour ahead of UTC, in summer two.
  ["2026-01-14T07:59:59Z", false],
  ["2026-01-14T08:00:00Z", true],
  ["2026-01-14T15:59:59Z", true],
  ["2026-01-14T16:00:00Z", false],
  ["2026-07-15T06:59:59Z", false],
  ["2026-07-15T07:00:00Z", true],
  ["2026-07-15T14:59:59Z", true],
  ["2026-07-15T15:00:00Z", false],
  // The last working day before, and the first after, clocks were put forward, and put back.
  ["2026-03-27T08:00:00Z", true],
  ["2026-03-30T07:00:00Z", true],
  ["2026-03-30T15:00:00Z", false],
  ["2026-10-23T07:00:00Z", true],
  ["2026-10-26T07:00:00Z", false],
  ["2026-10-26T15:59:59Z", true],
  // A Saturday, and the Sunday night that is Monday in UTC as well.
  ["2026-01-17T10:00:00Z", false],
  ["2026-01-18T23:30:00Z", false],
])("at %s the window of working hours in Berlin is open: %p", (time, open) => {
  expect(refusedAt(time, weekdays) === null).toBe(open);
});

test("a window that is closed says which there are, and when the next one opens", () => {
  expect(refusedAt("2026-03-27T16:30:00Z", weekdays)).toBe(
    "Cannot deploy: none of its windows is open now (mon-fri 09:00-17:00 Europe/Berlin); the next one opens at 2026-03-30T07:00:00.000Z.",
  );
});

test("one open window of several is enough", () => {
  const windows = ["mon-fri 09:00-17:00 Europe/Berlin", "sat 22:00-04:00 UTC"];
  expect(refusedAt("2026-01-18T03:59:00Z", { windows })).toBeNull();
  expect(refusedAt("2026-01-18T04:00:00Z", { windows })).toContain("2026-01-19T08:00:00.000Z");
});

test("a freeze says by whom it is, why and until when, and ends at that time", () => {
  const freeze = { who: "dana", why: "sale", time: "2026-01-01T00:00:00Z", until: "2026-01-10T00:00:00Z" };
  const said = "Cannot deploy: it is frozen until 2026-01-10T00:00:00Z, by dana: sale.";
  expect(refusedAt("2026-01-09T23:59:59Z", { freeze })).toBe(said);
  expect(refusedAt("2026-01-10T00:00:00Z", { freeze })).toBeNull();
  const { until: _, ...endless } = freeze;
  expect(refusedAt("2036-01-01T00:00:00Z", { freeze: endless })).toBe("Cannot deploy: it is frozen, by dana: sale.");
});

test("after a freeze has ended the windows still count", () => {
  const freeze = { who: "dana", why: "", time: "2026-01-01T00:00:00Z", until: "2026-01-10T00:00:00Z" };
  expect(refusedAt("2026-01-17T10:00:00Z", { freeze, ...weekdays })).toContain("none of its windows");
});

test("a reason overrides whatever forbids a deploy", () => {
  const freeze = { who: "dana", why: "", time: "2026-01-01T00:00:00Z" };
  expect(refusedAt("2026-01-17T10:00:00Z", { freeze, ...weekdays }, "hotfix")).toBeNull();
});

test("every refusal is an error of its own, and says how it is overridden", async () => {
  const latest = { id: "d2", record: recordIn("halted", { onHalt: "freeze", reason: "h1: sick" }), version: 1 };
  const cases = [
    [settingsWith({ freeze: { who: "d", why: "", time: "2026-01-01T00:00:00Z" } }), null],
    [settingsWith({}), latest],
    [settingsWith({ windows: ["mon 09:00-10:00 UTC"] }), null],
  ] as const;
  for (const [settings, halted] of cases) {
    const work = async () => assertOpen("web", settings, halted, "Cannot deploy", { now: NOW });
    expect(await rejection(work())).toMatchObject({
      code: "frozen",
      hint: expect.stringContaining('--override "REASON"'),
    });
  }
});

test("a halted deploy freezes its service only where that is its policy, until somebody unfreezes it", () => {
  const at = (record: object, thawed?: string) => () =>
    assertOpen(
      "web",
      settingsWith(thawed === undefined ? {} : { thawed }),
      { id: "d2", record: recordIn("halted", { reason: "h1: sick", ...record }), version: 1 },
      "Cannot deploy",
      { now: NOW },
    );
  expect(at({ onHalt: "freeze" })).toThrow('it is frozen since deploy d2 of "v2" halted (h1: sick).');
  expect(at({ onHalt: "freeze" }, "d1")).toThrow("frozen");
  expect(at({ onHalt: "freeze" }, "d2")).not.toThrow();
  expect(at({ onHalt: "ask" })).not.toThrow();
});

describe("in ZooKeeper", () => {
  let server: DevServer;
  let site: Site;
  beforeEach(async () => {
    server = await startDevServer({ clock: systemClock });
    site = await Site.open(server.connectString, "/opening", { max: 2, budget: 1 });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
    await server.close();
  });

  const freeze = async (until?: string) =>
    freezeService(site.zk, "web", { who: "dana", why: "sale", time: NOW.toISOString(), until });
  const change = { service: "web", who: "erin", why: "", now: NOW };
  const codeOf = async (work: Promise<unknown>) => asDeployError(await rejection(work), "").code;

  test("who freezes a service keeps its settings, also those of a newer deployd, and who unfreezes it likewise", async () => {
    await site.zk.set(servicePath("web"), JSON.stringify({ max: 3, future: { x: 1 } }));
    await freeze("2030-01-01T00:00:00Z");
    const frozen: object = await readService(site.zk, "web");
    expect(frozen).toMatchObject({ max: 3, future: { x: 1 }, freeze: { who: "dana", until: "2030-01-01T00:00:00Z" } });
    expect(await unfreezeService(site.zk, "web")).toBe(true);
    const open: object = await readService(site.zk, "web");
    expect(open).toMatchObject({ max: 3, future: { x: 1 } });
    expect("freeze" in open).toBe(false);
    expect(await unfreezeService(site.zk, "web")).toBe(false);
  });

  test("a service that does not exist is neither frozen nor unfrozen", async () => {
    const unknown = { who: "", why: "", time: NOW.toISOString(), until: undefined };
    expect(await codeOf(freezeService(site.zk, "wed", unknown))).toBe("service-unknown");
    expect(await codeOf(unfreezeService(site.zk, "wed"))).toBe("service-unknown");
  });

  test("a frozen service takes no deploy, no promotion and no retry, but lets what was paused go on", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1", "canary");
    await site.state("d1", "awaiting promotion");
    await freeze();
    expect(await codeOf(promote(site.zk, change))).toBe("frozen");
    expect(await codeOf(retryDeploy(site.zk, change))).toBe("frozen");
    const promoted = await promote(site.zk, { ...change, override: "it burns" });
    expect(promoted.record.acts.at(-1)).toMatchObject({ act: "promoted", who: "erin", override: "it burns" });
    await site.state("d1", "halted");
    expect(await codeOf(resumeDeploy(site.zk, change))).toBe("frozen");
    await site.state("d1", "paused");
    expect((await resumeDeploy(site.zk, change)).record.state).toBe("rolling");
    await site.state("d1", "done");
    expect(await codeOf(site.deploy("d2", "v2"))).toBe("frozen");
  });

  test("what halts under the policy of freezing keeps the next deploy out until a person has looked at it", async () => {
    await setService(site.zk, "web", { onHalt: "freeze" });
    await site.deploy("d1", "v1");
    await site.state("d1", "halted");
    expect(await codeOf(site.deploy("d2", "v2"))).toBe("frozen");
    // The one that halted may go on: that is to look at it.
    expect((await resumeDeploy(site.zk, change)).record.state).toBe("rolling");
    await site.state("d1", "halted");
    expect(await unfreezeService(site.zk, "web")).toBe(true);
    expect(await unfreezeService(site.zk, "web")).toBe(false);
    expect((await site.deploy("d2", "v2")).onHalt).toBe("freeze");
    // The next one that halts freezes it anew.
    await site.state("d2", "halted");
    expect(await codeOf(site.deploy("d3", "v3"))).toBe("frozen");
  });

  test("who freezes and changes the settings at once undoes nothing of the other", async () => {
    const both = await Promise.allSettled([
      freeze(),
      setService(site.other, "web", { budget: 4 }),
      freezeService(site.other, "web", { who: "erin", why: "", time: NOW.toISOString(), until: undefined }),
    ]);
    const settings = await readService(site.zk, "web");
    const done = both.map(({ status }) => status === "fulfilled");
    expect(settings.freeze !== undefined).toBe(done[0] === true || done[2] === true);
    expect(settings.budget === 4).toBe(done[1] === true);
  });
});
