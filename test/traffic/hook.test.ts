import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { trafficFor } from "../../src/traffic/traffic.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { trafficEffects } from "../harness/real_time.ts";

const { signal } = new AbortController();
const instances = [
  { name: "1", port: 8001 },
  { name: "2", port: null },
];

function hooks(dir: string, lines: { on?: string; off?: string } = {}) {
  const note = (state: string): string =>
    `echo ${state} $DEPLOYD_SERVICE@$DEPLOYD_INSTANCE \${DEPLOYD_PORT-none} >> ${dir}/said`;
  const spec = { by: "hook", on: lines.on ?? note("on"), off: lines.off ?? note("off") } as const;
  return {
    /** As a process of the agent has it. */
    traffic: () => trafficFor(spec, "web", instances, trafficEffects(), 2000),
    /** What was said since it was asked last. */
    said: async () => {
      const text = await readFile(join(dir, "said"), "utf8").catch(() => "");
      await writeFile(join(dir, "said"), "");
      return text.trim().split("\n");
    },
  };
}

test("each instance is turned on and off with its name and port, those that come before those that go", async () => {
  await using dir = await tempDir();
  const { traffic, said } = hooks(dir.path);
  const one = traffic();
  await one.steer(["2"], signal);
  expect(await said()).toEqual(["on web@2 none", "off web@1 8001"]);
  await one.steer(["1"], signal);
  expect(await said()).toEqual(["on web@1 8001", "off web@2 none"]);
  await one.remove(signal);
  expect(await said()).toEqual(["on web@2 none"]);
});

test("what was said is not said again, but by the next process", async () => {
  await using dir = await tempDir();
  const { traffic, said } = hooks(dir.path);
  const one = traffic();
  await one.steer(["1"], signal);
  await said();
  await one.steer(["1"], signal);
  expect(await said()).toEqual([""]);
  await traffic().steer(["1"], signal);
  expect(await said()).toEqual(["on web@1 8001", "off web@2 none"]);
});

test("a hook that fails is quoted, and run again the next time", async () => {
  await using dir = await tempDir();
  const off = `echo off >> ${dir.path}/said; echo the balancer is gone. >&2; exit 3`;
  const { traffic, said } = hooks(dir.path, { off });
  const one = traffic();
  expect(await rejection(one.steer(["1"], signal))).toMatchObject({
    code: "traffic-failed",
    message: `Cannot turn the traffic of web@2 off: "${off}" exited with 3, saying: the balancer is gone.`,
  });
  await rejection(one.steer(["1"], signal));
  expect(await said()).toEqual(["on web@1 8001", "off", "off"]);
});

test("what cannot be counted is null, what has a port is counted", async () => {
  await using dir = await tempDir();
  const one = hooks(dir.path).traffic();
  expect(await one.busy("2", signal)).toBeNull();
  expect(await one.busy("1", signal)).toBe(0);
  expect(await one.refused(signal)).toBeNull();
});

test("a hook has as many open files as is usual, and not as many as the runtime has taken", async () => {
  await using dir = await tempDir();
  const { traffic, said } = hooks(dir.path, { off: `ulimit -Sn >> ${dir.path}/said` });
  await traffic().steer(["1"], signal);
  expect(await said()).toContain("1024");
});
