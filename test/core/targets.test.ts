import { describe, expect, test } from "bun:test";
import { newDeployId } from "../../src/core/deploy_id.ts";
import { asDeployError, DeployError, isDeployError } from "../../src/core/errors.ts";
import { shareOf } from "../../src/core/host_share.ts";
import { nextFor, targetFor, wishFor, type Subject } from "../../src/core/targets.ts";
import { deployId } from "../../src/schema/names.ts";
import type { Reach } from "../../src/schema/stages.ts";
import type { Wish } from "../../src/schema/znodes.ts";

const fleet = { build: "v1", deploy: "d1" };
const canary = { build: "v2", deploy: "d2" };

test("fleet hosts follow enabled, canary hosts their own wish and without one enabled", () => {
  expect(wishFor("fleet", { enabled: fleet, canary })).toBe(fleet);
  expect(wishFor("canary", { enabled: fleet, canary })).toBe(canary);
  expect(wishFor("canary", { enabled: fleet, canary: null })).toBe(fleet);
  expect(wishFor("fleet", { enabled: null, canary })).toBeNull();
});

test("a wish without a deploy is no target yet", () => {
  expect(targetFor({ host: "a", role: "fleet" }, { enabled: { build: "v1" }, canary: null })).toEqual({ kind: "none" });
  expect(targetFor({ host: "a", role: "fleet" }, { enabled: fleet, canary: null })).toEqual({
    kind: "build",
    ...fleet,
  });
});

test("a canary wish by hand does not send canary hosts back to the fleet's build meanwhile", () => {
  expect(targetFor({ host: "a", role: "canary" }, { enabled: fleet, canary: { build: "v2" } })).toEqual({
    kind: "none",
  });
});

describe("a deploy in stages", () => {
  const before = { build: "v1", deploy: "d1" };
  const wish = (reach: Reach, rest: object = { before }): Wish => ({ build: "v2", deploy: "d2", reach, ...rest });
  const target = (subject: Partial<Subject>, enabled: Wish, canary: Wish | null = null) => {
    const found = targetFor({ host: "a", role: "fleet", ...subject }, { enabled, canary });
    return found.kind === "build" ? `${found.build} of ${found.deploy}` : found.kind;
  };
  const share = shareOf("d2", "a");

  test("reaches a host by its zone, or by its share of the deploy, and others keep what was there before", () => {
    const inZone = wish({ zones: ["z1"], below: 0 });
    expect(target({ zone: "z1" }, inZone)).toBe("v2 of d2");
    expect(target({ zone: "z2" }, inZone)).toBe("v1 of d1");
    expect(target({}, inZone)).toBe("v1 of d1");
    expect(target({}, wish({ zones: [], below: share }))).toBe("v1 of d1");
    expect(target({}, wish({ zones: [], below: share + 1e-9 }))).toBe("v2 of d2");
    expect(target({ zone: "z2" }, wish({ zones: ["z1"], below: 1 }))).toBe("v2 of d2");
    expect(target({}, { build: "v2", deploy: "d2", before })).toBe("v2 of d2");
  });

  test("reaches canary hosts from its beginning, whatever their zone and share", () => {
    const none = wish({ zones: [], below: 0 });
    expect(target({ role: "canary" }, none)).toBe("v2 of d2");
    expect(target({ role: "canary", zone: "z9" }, none)).toBe("v2 of d2");
    // Where they have a wish of their own, they follow that.
    expect(target({ role: "canary" }, none, { build: "v3", deploy: "d3" })).toBe("v3 of d3");
  });

  test("has a host that joins serve what was there before, or nothing, until its stage has come", () => {
    const none = { zones: [], below: 0 };
    expect(target({ host: "new" }, wish(none))).toBe("v1 of d1");
    expect(target({ host: "new" }, wish(none, { before: null }))).toBe("none");
    expect(target({ host: "new" }, wish(none, {}))).toBe("none");
    expect(target({ host: "new" }, wish({ zones: [], below: 1 }, { before: null }))).toBe("v2 of d2");
  });
});

test("a host is to have ready what its deploy has not brought to it yet", () => {
  const wish = { build: "v2", deploy: "d2", before: { build: "v1", deploy: "d1" }, reach: { zones: ["z1"], below: 0 } };
  const next = (subject: Partial<Subject>, enabled: Wish, canary: Wish | null = null) =>
    nextFor({ host: "a", role: "fleet", ...subject }, { enabled, canary });
  expect(next({ zone: "z2" }, wish)).toEqual({ build: "v2", deploy: "d2" });
  expect(next({ zone: "z1" }, wish)).toBeNull();
  expect(next({ role: "canary", zone: "z2" }, wish)).toBeNull();
  expect(next({}, { build: "v2", deploy: "d2" })).toBeNull();
  expect(next({}, { build: "v2", reach: { zones: [], below: 0 } })).toBeNull();
  // What is only on canary hosts has not been promised to the fleet.
  expect(next({}, fleet, wish)).toBeNull();
});

test("a deploy id sorts by time and is a valid name", () => {
  const early = newDeployId(new Date("2026-01-02T03:04:05.678Z"), () => 0.999_999);
  const late = newDeployId(new Date("2026-01-02T03:04:06.000Z"), () => 0);
  expect(early).toBe("20260102-030405-ffff");
  expect(late).toBe("20260102-030406-0000");
  expect(early < late).toBe(true);
  expect(deployId.safeParse(early).success).toBe(true);
});

test("an error says what was attempted and what to do, and foreign ones keep their text and cause", () => {
  const known = new DeployError("Cannot x.", { code: "conflict", hint: "Do y.", retry: true });
  expect(known.explained).toBe("Cannot x. Do y.");
  expect(asDeployError(known, "Cannot z")).toBe(known);
  const cause = new Error("it broke");
  const wrapped = asDeployError(cause, "Cannot z");
  expect(isDeployError(wrapped)).toBe(true);
  expect(wrapped).toMatchObject({ code: "internal", message: "Cannot z: it broke", retry: false, cause });
  expect(asDeployError("text", "Cannot z").message).toBe("Cannot z: text");
  expect(isDeployError(cause)).toBe(false);
});
