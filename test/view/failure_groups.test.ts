import { expect, test } from "bun:test";
import type { HostFailure } from "../../src/view/deploy.ts";
import { failureGroups } from "../../src/view/failure_groups.ts";

const failure = (host: string, reason: string, more: Partial<HostFailure> = {}): HostFailure => ({
  host,
  build: "v2",
  step: "check",
  reason,
  hint: "",
  healthy: false,
  log: "",
  ...more,
});

test("numbers and the host's own name make no other cause, step and build do", () => {
  const groups = failureGroups([
    failure("web-01", "web-01 gave 502 after 31 checks"),
    failure("web-02", "web-02 gave 502 after 7 checks", { log: "no database", hint: "Look." }),
    failure("web-03", "web-03 gave 502 after 7 checks", { step: "install" }),
    failure("web-04", "no answer", { healthy: true }),
  ]);
  expect(groups.map(({ hosts }) => hosts)).toEqual([["web-01", "web-02"], ["web-03"], ["web-04"]]);
  expect(groups[0]).toMatchObject({ reason: "web-01 gave 502 after 31 checks", log: "no database", hint: "Look." });
  expect(groups.map(({ healthy }) => healthy)).toEqual([0, 0, 1]);
});

test("the cause with most hosts is told first", () => {
  const groups = failureGroups([failure("a", "one"), failure("b", "two"), failure("c", "two")]);
  expect(groups.map(({ reason }) => reason)).toEqual(["two", "one"]);
});
