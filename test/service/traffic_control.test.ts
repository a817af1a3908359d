import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { TrafficControl, type TrafficControlOptions } from "../../src/service/traffic_control.ts";
import { JournalFile } from "../../src/service/journal_file.ts";
import { noCounts, restartOf } from "../../src/core/restart_progress.ts";
import type { Traffic } from "../../src/traffic/effects.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { systemClock } from "../../src/support/clock.ts";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";

const files = new Files(hostDisk, systemClock);

const { signal } = new AbortController();
let dir: Awaited<ReturnType<typeof tempDir>>;
let said: string[];

beforeEach(async () => {
  dir = await tempDir();
  said = [];
  await beginRestart(["1", "2", "3"]);
});
afterEach(() => dir[Symbol.asyncDispose]());

const journalFile = (): Promise<JournalFile> => JournalFile.open(files, join(dir.path, "state.json"), () => {});

/** Only an instance whose restart was begun may lose its traffic. */
async function beginRestart(batch: readonly string[]): Promise<void> {
  const journal = await journalFile();
  const [build, deploy] = ["v1", "d1"];
  const phase = { kind: "forward", restart: restartOf(batch) } as const;
  await journal.record({ kind: "taken-up", number: 1, build, deploy, again: 0 });
  await journal.record({
    kind: "begun",
    activation: { build, deploy, previous: null, attempt: 1, soakMs: 0, phase, counts: noCounts },
  });
  await journal.record({ kind: "batch-begun", batch, instances: batch });
}

/** What the disk says at the moment when traffic is changed is what a killed agent's successor would find. */
async function onDisk(): Promise<readonly string[]> {
  return (await journalFile()).now.traffic?.off ?? [];
}

function traffic(name: string, fails: { steer?: boolean; taken?: boolean } = {}): Traffic {
  return {
    steer: async (on) => {
      said.push(`${name} steers to ${on.join()}, on disk off: ${(await onDisk()).join()}`);
      if (fails.steer === true) throw new Error("no such program");
    },
    taken: async (instances) => {
      said.push(`${name} awaits ${instances.join()}`);
      if (fails.taken === true) throw new Error("still down");
    },
    busy: async () => 0,
    refused: async () => null,
    remove: async () => {
      said.push(`${name} goes away`);
    },
  };
}

async function front(changes: Partial<TrafficControlOptions> = {}): Promise<TrafficControl> {
  return new TrafficControl({
    by: "nft",
    traffic: traffic("nft"),
    instances: ["1", "2", "3"],
    journal: await journalFile(),
    bootId: "boot 1",
    timeoutMs: 1_000,
    former: (by) => traffic(by),
    ...changes,
  });
}

test("that an instance is off is on the disk before it is, and that it is on only afterwards", async () => {
  const one = await front();
  await one.turnOff(["1"], signal);
  await one.turnOff(["2"], signal);
  await one.turnOn(["1"], signal);
  expect(said).toEqual([
    "nft steers to 2,3, on disk off: 1",
    "nft steers to 3, on disk off: 1,2",
    "nft steers to 1,3, on disk off: 1,2",
    "nft awaits 1",
  ]);
  expect(await onDisk()).toEqual(["2"]);
});

test("an instance whose front does not take it is on all the same, and that is told", async () => {
  const one = await front({ traffic: traffic("nft", { taken: true }) });
  await one.turnOff(["1"], signal);
  expect(String(await rejection(one.turnOn(["1"], signal)))).toContain("still down");
  expect(one.off).toEqual([]);
});

test("an instance that nobody restarts keeps its traffic", async () => {
  const one = await front({ instances: ["1", "2", "3", "4"] });
  expect(String(await rejection(one.turnOff(["4"], signal)))).toContain("nobody restarts 4");
  expect(said).toEqual([]);
});

test("a new agent keeps off what the one before it may have left off", async () => {
  await (await front()).turnOff(["2"], signal);
  said = [];
  await (await front()).assert(signal);
  expect(said).toEqual(["nft steers to 1,3, on disk off: 2"]);
});

test("after a boot clients are let in also where the disk is too full to say so", async () => {
  await (await front()).turnOff(["2"], signal);
  said = [];
  const full = (): Promise<never> => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
  const path = join(dir.path, "state.json");
  const journal = await JournalFile.open(
    new Files({ ...hostDisk, createFile: full, openInPlace: full }, systemClock),
    path,
    () => {},
  );
  const asserting = (await front({ bootId: "boot 2", journal })).assert(signal);
  expect(await rejection(asserting)).toMatchObject({ code: "disk-full" });
  expect(said).toEqual(["nft steers to 1,2,3, on disk off: 2"]);
});

test("after a boot all is on, since rules and services came up anew", async () => {
  await (await front()).turnOff(["2"], signal);
  said = [];
  await (await front({ bootId: "boot 2" })).assert(signal);
  expect(said).toEqual(["nft steers to 1,2,3, on disk off: 2", "nft steers to 1,2,3, on disk off: "]);
});

test("after a boot a host that has left has what it took down still off, whatever its back end is by now", async () => {
  const journal = await JournalFile.open(files, join(dir.path, "left.json"), () => {});
  await journal.record({ kind: "leave-begun", who: "ana", why: "scale in", bootId: "boot 1" });
  await (await front({ journal })).turnOff(["1", "2", "3"], signal);
  await journal.record({ kind: "left" });
  await (await front({ journal, bootId: "boot 2" })).assert(signal);
  expect(journal.now.traffic).toMatchObject({ bootId: "boot 2", off: ["1", "2", "3"] });
  await (await front({ journal, bootId: "boot 2", by: "iptables", traffic: traffic("iptables") })).assert(signal);
  expect(journal.now.traffic).toMatchObject({ by: "iptables", off: ["1", "2", "3"] });
  expect(said.filter((line) => !/ steers to ,/.test(line))).toEqual(["nft goes away"]);
});

test("a host that uses another back end takes away what the former one left", async () => {
  await (await front()).turnOff(["2"], signal);
  said = [];
  await (await front({ by: "haproxy", traffic: traffic("haproxy") })).assert(signal);
  expect(said).toEqual([
    "haproxy steers to 1,2,3, on disk off: 2",
    "nft goes away",
    "haproxy steers to 1,2,3, on disk off: ",
  ]);
  said = [];
  await (await front({ by: "none", traffic: traffic("none") })).assert(signal);
  expect(said).toEqual([
    "none steers to 1,2,3, on disk off: ",
    "haproxy goes away",
    "none steers to 1,2,3, on disk off: ",
  ]);
});

test("an instance that the host has not got any more is forgotten", async () => {
  await (await front()).turnOff(["2", "3"], signal);
  const one = await front({ instances: ["1", "2"] });
  await one.assert(signal);
  expect(one.off).toEqual(["2"]);
});

test("a service without a front leaves nothing on the disk", async () => {
  const one = await front({ by: "none", traffic: traffic("none") });
  await one.assert(signal);
  expect((await journalFile()).now.traffic).toBeNull();
});

test("what was left off gets its traffic back when it is healthy", async () => {
  const one = await front();
  await one.turnOff(["1", "2"], signal);
  await one.settle(async (name) => name === "2", signal);
  expect(one.off).toEqual(["1"]);
});

test("where nothing would have traffic, all have it: who may answer is better than nobody", async () => {
  const one = await front();
  await one.turnOff(["1", "2", "3"], signal);
  await one.settle(async () => false, signal);
  expect(one.off).toEqual([]);
});
