import { expect, test } from "bun:test";
import { newDeployId } from "../../src/core/deploy_id.ts";
import { asDeployError, DeployError, isDeployError } from "../../src/core/errors.ts";
import { targetFor, wishFor } from "../../src/core/targets.ts";
import { deployId } from "../../src/schema/names.ts";

const fleet = { build: "v1", deploy: "d1" };
const canary = { build: "v2", deploy: "d2" };

test("fleet hosts follow enabled, canary hosts their own wish and without one enabled", () => {
  expect(wishFor("fleet", { enabled: fleet, canary })).toBe(fleet);
  expect(wishFor("canary", { enabled: fleet, canary })).toBe(canary);
  expect(wishFor("canary", { enabled: fleet, canary: null })).toBe(fleet);
  expect(wishFor("fleet", { enabled: null, canary })).toBeNull();
});

test("a wish without a deploy is no target yet", () => {
  expect(targetFor("fleet", { enabled: { build: "v1" }, canary: null })).toEqual({ kind: "none" });
  expect(targetFor("fleet", { enabled: fleet, canary: null })).toEqual({ kind: "build", ...fleet });
});

test("a canary wish by hand does not send canary hosts back to the fleet's build meanwhile", () => {
  expect(targetFor("canary", { enabled: fleet, canary: { build: "v2" } })).toEqual({ kind: "none" });
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
