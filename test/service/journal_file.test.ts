import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { JournalFile } from "../../src/service/journal_file.ts";
import { failureOf } from "../../src/service/step_failure.ts";
import { DeployError } from "../../src/core/errors.ts";
import { noCounts } from "../../src/core/restart_progress.ts";
import { hostDisk } from "../../src/host/disk.ts";
import { emptyJournal, JOURNAL_VERSION } from "../../src/schema/journal.ts";
import { Files } from "../../src/steps/files.ts";
import { systemClock } from "../../src/support/clock.ts";
import { forward, inBatch, places } from "../core/journals.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";

const files = new Files(hostDisk, systemClock);
const wish = { kind: "taken-up", number: 5, deploy: "d3", build: "v3", again: 0 } as const;
const taken = { deploy: "d3", build: "v3" };
const install = { kind: "install-begun", ...taken } as const;
const attempt = { number: 5, ...taken, again: 0 };

let dir: Awaited<ReturnType<typeof tempDir>>;
let path: string;
let told: { aside: string; problems: readonly string[] }[];
beforeEach(async () => {
  dir = await tempDir();
  path = join(dir.path, "state.json");
  told = [];
});
afterEach(() => dir[Symbol.asyncDispose]());

const open = (on: Files = files): Promise<JournalFile> =>
  JournalFile.open(on, path, (aside, problems) => told.push({ aside, problems }));
const onDisk = async (): Promise<unknown> => JSON.parse(await readFile(path, "utf8"));
/** The file as an agent left it; `version` may be any. */
const left = (journal: object): Promise<void> => writeFile(path, JSON.stringify(journal));

test("what happened is on the disk when it was recorded, for the agent alone", async () => {
  const journal = await open();
  expect(journal.now).toEqual(emptyJournal);
  await journal.record(wish);
  expect(await onDisk()).toEqual({ ...emptyJournal, attempt });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await open()).now).toEqual({ ...emptyJournal, attempt });
  expect(told).toEqual([]);
});

test("events that come at once follow one on the other", async () => {
  const journal = await open();
  await Promise.all([journal.record(wish), journal.record({ kind: "seen-served" }), journal.record(install)]);
  expect(await onDisk()).toMatchObject({ attempt: { ...attempt, served: true }, installs: { begun: 1 } });
});

test("an event that cannot happen now changes nothing, and the next one is recorded", async () => {
  const journal = await open();
  expect(await rejection(journal.record({ kind: "finished", atMs: 1 }))).toMatchObject({ code: "internal" });
  expect(await readdir(dir.path)).toEqual([]);
  await journal.record(wish);
  expect(await onDisk()).toMatchObject({ attempt });
});

/** A disk on which what grows fails while `full()` says so. */
const filling = (full: () => boolean): Files => {
  const noSpace = (): Promise<never> => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
  return new Files(
    {
      ...hostDisk,
      createFile: (at, mode) => (full() ? noSpace() : hostDisk.createFile(at, mode)),
      makeLink: (at, target) => (full() ? noSpace() : hostDisk.makeLink(at, target)),
      makeDirectory: (at, mode) => (full() ? noSpace() : hostDisk.makeDirectory(at, mode)),
    },
    systemClock,
  );
};

test("what cannot be written has not happened, and can be recorded again", async () => {
  let full = true;
  const journal = await open(filling(() => full));
  expect(await rejection(journal.record(wish))).toMatchObject({ code: "disk-full" });
  expect(journal.now.attempt).toBeNull();
  full = false;
  await journal.record(wish);
  expect(await onDisk()).toMatchObject({ attempt });
});

test("on a full disk a deploy is journalled to its end, by this agent and by the next one", async () => {
  let full = false;
  const on = filling(() => full);
  const journal = await open(on);
  await journal.record(wish);
  full = true;
  await journal.record({ kind: "begun", activation: { ...forward, ...taken, attempt: 5 } });
  await journal.record({ kind: "batch-begun", batch: ["1"], instances: ["1"] });
  const long = "\u0001".repeat(100_000);
  const failure = failureOf(
    null,
    new DeployError(long, { code: "check-failed", hint: long, cause: { tail: long } }),
    "check",
    1,
  );
  const next = await open(on);
  await next.record({ kind: "turned-back", failure, instances: [{ name: "1", served: { kind: "down" } }] });
  await next.record({ kind: "given-up", healthy: true });
  expect(await onDisk()).toMatchObject({ failed: { failure: { code: "check-failed" } } });
  full = false;
  await next.setAside();
});

test("what is set aside is refused where there is no room for it, and whoever keeps a file by another name keeps it", async () => {
  let full = false;
  const journal = await open(filling(() => full));
  await journal.record(wish);
  const spare = join(dir.path, ".state.json.spare");
  const kept = join(dir.path, "kept");
  await link(spare, kept);
  const before = await readFile(kept, "utf8");
  await journal.record({ kind: "seen-served" });
  await journal.record(install);
  expect(await readFile(kept, "utf8")).toBe(before);
  expect(await onDisk()).toMatchObject({ installs: { begun: 1 } });
  await rm(spare);
  full = true;
  expect(await rejection(journal.setAside())).toMatchObject({ code: "disk-full" });
});

test("a journal that somebody moves away or shortens by hand is written anew", async () => {
  const journal = await open();
  await journal.record(wish);
  await rm(path);
  await journal.record({ kind: "seen-served" });
  expect(await onDisk()).toMatchObject({ attempt: { ...attempt, served: true } });
  await left({ ...emptyJournal, attempt });
  const next = await open();
  await next.record(install);
  await next.record(install);
  expect(await onDisk()).toMatchObject({ installs: { begun: 2 } });
});

test("where names cannot be exchanged the journal is written all the same", async () => {
  const exchange = (): Promise<never> => Promise.reject(Object.assign(new Error("invalid"), { code: "EINVAL" }));
  const journal = await open(new Files({ ...hostDisk, exchange }, systemClock));
  await journal.record(wish);
  await journal.record({ kind: "seen-served" });
  await journal.record(install);
  expect(await onDisk()).toMatchObject({ attempt: { served: true }, installs: { begun: 1 } });
  await journal.setAside();
});

test("an older journal is brought to this version with the first change", async () => {
  const { lastRestart: _, traffic: __, ...rest } = places["batch begun"];
  await left({ ...rest, version: 1 });
  const journal = await open();
  expect(journal.now.activation).toEqual(rest.activation);
  expect(await onDisk()).toHaveProperty("version", 1);
  await journal.record({ kind: "abandoned" });
  expect(await onDisk()).toMatchObject({ version: JOURNAL_VERSION, activation: null, traffic: null });
});

test("what a newer agent has written is on the disk after every change, at any depth", async () => {
  const newer = {
    ...places["batch begun"],
    version: JOURNAL_VERSION + 1,
    highest: { number: 12 },
    activation: {
      ...inBatch,
      budget: [1, { of: 2 }],
      counts: { ...inBatch.counts, bytes: 9 },
      phase: {
        ...inBatch.phase,
        since: 5,
        restart: { begun: 1, batch: ["1"], left: ["1", "2"], order: ["2", "1"] },
      },
    },
  };
  await left(newer);
  const journal = await open();
  expect(journal.problem).toBeNull();
  await journal.record({ kind: "traffic", by: "nft", off: ["1"], bootId: "b" });
  await journal.record({ kind: "batch-ended", how: "failed", cost: noCounts });
  expect(await onDisk()).toMatchObject({
    highest: { number: 12 },
    activation: { budget: [1, { of: 2 }], counts: { bytes: 9 }, phase: { since: 5, restart: { order: ["2", "1"] } } },
  });
});

describe("a journal that this agent cannot go by", () => {
  const warming = {
    ...places.forward,
    version: JOURNAL_VERSION + 1,
    activation: { ...forward, phase: { kind: "warming" } },
  };

  test("stays as it is, and says what to do", async () => {
    await left(warming);
    const before = await readFile(path, "utf8");
    const journal = await open();
    expect(journal.problem).toMatchObject({ code: "journal-unreadable" });
    expect(journal.problem?.explained).toContain(`Cannot use the journal "${path}", so the service is left as it is.`);
    expect(journal.problem?.explained).toContain('"activation.phase.kind"');
    expect(journal.problem?.hint).toStartWith("Put the newer agent back");
    expect(await rejection(journal.record({ kind: "abandoned" }))).toBe(journal.problem as Error);
    expect(await rejection(journal.readAgain())).toMatchObject({ code: "journal-unreadable" });
    expect(await readFile(path, "utf8")).toBe(before);
    expect(await readdir(dir.path)).toEqual(["state.json"]);
    expect(told).toEqual([]);
  });

  test("still tells the number of the wish", async () => {
    await left(warming);
    expect((await open()).now).toMatchObject({ attempt: places.forward.attempt, activation: null });
  });

  test("is gone by as soon as it is put right", async () => {
    await left({ ...places["taken up"], proven: "v1" });
    const journal = await open();
    expect(journal.problem?.hint).toStartWith("Correct the file");
    await left(places["taken up"]);
    await journal.readAgain();
    expect(journal.problem).toBeNull();
    await journal.record({ kind: "seen-served" });
    const { attempt: taken } = places["taken up"];
    expect(await onDisk()).toEqual({ ...places["taken up"], attempt: { ...taken, served: true } });
  });

  test("may be moved away by a person, and the host goes on from what it observes", async () => {
    await left(warming);
    const journal = await open();
    await rename(path, `${path}.old`);
    await journal.readAgain();
    expect(journal.now).toEqual(emptyJournal);
    expect(journal.problem).toBeNull();
  });

  test("may be no file at all", async () => {
    await mkdir(path);
    const journal = await open();
    expect(journal.problem).toMatchObject({ code: "journal-unreadable" });
    expect(journal.problem?.message).toContain(path);
    expect(await rejection(journal.record(wish))).toMatchObject({ code: "journal-unreadable" });
    await rm(path, { recursive: true });
    await journal.readAgain();
    await journal.record(wish);
    expect(await onDisk()).toMatchObject({ attempt });
  });
});

test.each([
  ["nothing", ""],
  ["half a journal", JSON.stringify(places.forward).slice(0, 200)],
  ["zeros", "\0".repeat(512)],
  ["a list", "[]"],
])("a file that holds %s is put aside and told, and the host goes on", async (_, text) => {
  await writeFile(path, text);
  const journal = await open();
  expect(journal.problem).toBeNull();
  expect(journal.now).toEqual(emptyJournal);
  expect(told).toEqual([{ aside: `${path}.damaged`, problems: [expect.any(String)] }]);
  expect(await readFile(`${path}.damaged`, "utf8")).toBe(text);
  await journal.record(wish);
  expect(await onDisk()).toMatchObject({ attempt });
});

test("a torn file that cannot be put aside is not written over", async () => {
  await writeFile(path, "half");
  const rename = () => Promise.reject(new Error("read-only file system"));
  const createFile = () => Promise.reject(new Error("it was written over"));
  const journal = await open(new Files({ ...hostDisk, rename, createFile }, systemClock));
  expect(journal.problem?.message).toContain("read-only file system");
  expect(await rejection(journal.record(wish))).toMatchObject({ code: "journal-unreadable" });
  expect(told).toEqual([]);
});
