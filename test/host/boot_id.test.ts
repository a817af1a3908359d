import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { bootId } from "../../src/host/boot_id.ts";
import { run } from "../harness/fleet_program.ts";

const isRoot = process.getuid?.() === 0;
const kernel = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();

test("a boot has the kernel's id, and keeps it", () => {
  expect(bootId()).toStartWith(kernel);
  expect(bootId()).toBe(bootId());
});

test.if(isRoot)("a container that is started anew on the same kernel has booted", async () => {
  const source = `console.log((await import(${JSON.stringify(new URL("../../src/host/boot_id.ts", import.meta.url).pathname)})).bootId())`;
  const inContainer = async () => {
    const argv = ["unshare", "--pid", "--fork", "--mount-proc", process.execPath, "-e", source];
    return (await run(argv)).stdout.trim();
  };
  const [first, second] = [await inContainer(), await inContainer()];
  expect(first).toStartWith(kernel);
  expect(new Set([bootId(), first, second]).size).toBe(3);
});
