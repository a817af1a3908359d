import { expect, test } from "bun:test";
import fc from "fast-check";
import { started } from "../../src/core/deploy.ts";
import { legFailures, newFailures } from "../../src/core/failure_summary.ts";
import type { DeployRecord, FailureSummary } from "../../src/schema/deploy_record.ts";
import type { Failure } from "../../src/schema/znodes.ts";

function failing(hosts: readonly string[], build = "b2", reason = "it failed"): Record<string, Failure> {
  return Object.fromEntries(
    hosts.map((host, at) => [
      host,
      {
        deploy: "d1",
        attempt: 1,
        build,
        reason,
        again: 0,
        healthy: true,
        round: 1,
        since: new Date(at * 1000).toISOString(),
      },
    ]),
  );
}

function deployOf(failures?: FailureSummary): DeployRecord {
  const record = started({
    build: "b2",
    previous: "b1",
    before: null,
    who: "ana",
    why: "",
    stages: [{ hosts: "100%", wait: 0 }],
    limits: { max: 1, budget: 0, soakMs: 0 },
    onHalt: "ask",
    reach: { zones: [], below: 1 },
    restarts: undefined,
    now: new Date(0),
  });
  return failures === undefined ? record : { ...record, failures: { b2: failures } };
}

test("the first failures are named, the others counted", () => {
  const hosts = ["h9", "h1", "h5", "h2", "h3", "h4", "h7"];
  expect(legFailures({ record: deployOf(), out: { failed: failing(hosts) } })).toEqual({
    hosts: 7,
    first: hosts.slice(0, 5).map((host) => ({ host, reason: "it failed" })),
  });
});

test("failures on another build, and none at all, are none", () => {
  expect(legFailures({ record: deployOf(), out: { failed: failing(["h1"], "b1") } })).toBeNull();
  expect(legFailures({ record: deployOf(), out: { failed: {} } })).toBeNull();
});

test("what was told before stays, also when its host was tried again and is well", () => {
  const record = deployOf({ hosts: 2, first: ["h1", "h2"].map((host) => ({ host, reason: "before" })) });
  const after = legFailures({ record, out: { failed: failing(["h3", "h2"]) } });
  expect(after?.hosts).toBe(3);
  expect(after?.first.map(({ host, reason }) => `${host} ${reason}`)).toEqual([
    "h1 before",
    "h2 before",
    "h3 it failed",
  ]);
  expect(newFailures({ record, out: { failed: failing(["h1"]) } })).toBeNull();
  expect(newFailures({ record, out: { failed: failing(["h4"]) } })?.hosts).toBe(3);
});

test("a summary is small however many hosts failed and whatever they said, and is told once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.string({ maxLength: 600 }), (hosts, reason) => {
      const failed = failing(
        Array.from({ length: hosts }, (_, at) => `host-${at}`),
        "b2",
        reason.repeat(3),
      );
      const summary = legFailures({ record: deployOf(), out: { failed } });
      expect(summary?.hosts).toBe(hosts);
      expect(JSON.stringify(summary).length).toBeLessThan(8_000);
      expect(newFailures({ record: deployOf(summary ?? { hosts: 0, first: [] }), out: { failed } })).toBeNull();
    }),
  );
});
