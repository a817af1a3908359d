import { expect, test } from "bun:test";
import type { DownloadRequest } from "../../../src/fetch/download.ts";
import { isDeployError } from "../../../src/core/errors.ts";
import { rejection } from "../../harness/rejection.ts";
import { stage, type Stage } from "./stage.ts";

const spool = "/srv/deployd/web/spool";
const { signal } = new AbortController();

function request(world: Stage): DownloadRequest & { digest: string } {
  const { url, archive, digest } = world.build({ id: "v1" });
  return { url, into: spool, size: archive.length, sources: ["http://artefacts.example/"], signal, digest };
}

function lengthOf({ host }: Stage): number {
  return host.disk.look(spool)?.size ?? 0;
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await rejection(work);
  return isDeployError(error) ? `${error.code}${error.retry ? ", again" : ""}` : error.message;
}

test("a download is a file that has the build's digest, on the disk", async () => {
  const world = stage("download");
  const { machine } = world.host.newLife();
  const wanted = request(world);
  const progress: number[] = [];
  await world.play(machine.network.download({ ...wanted, onProgress: (bytes) => progress.push(bytes) }));
  await world.play(machine.disk.syncDirectory("/srv/deployd/web"));
  world.host.powerCut();
  world.host.powerOn();
  const { archive } = world.host.newLife().machine;
  expect(await world.play(archive.digest(spool, signal))).toEqual({
    digest: wanted.digest,
    bytes: wanted.size,
  } as never);
  expect(progress.at(-1)).toBe(wanted.size);
  expect(progress.length).toBeGreaterThan(1);
});

test("one that was cut goes on where it ended", async () => {
  const world = stage("cut");
  const { machine } = world.host.newLife();
  const wanted = request(world);
  world.server.faults.cuts = 1;
  expect(await failure(world.play(machine.network.download(wanted)))).toBe("fetch-failed, again");
  const had = lengthOf(world);
  expect(had).toBeGreaterThan(0);
  expect(had).toBeLessThan(wanted.size);
  world.server.faults.cuts = 0;
  const progress: number[] = [];
  await world.play(machine.network.download({ ...wanted, onProgress: (bytes) => progress.push(bytes) }));
  expect(progress[0]).toBeGreaterThan(had);
  expect(await world.play(machine.archive.digest(spool, signal))).toMatchObject({ digest: wanted.digest });
});

test("a kill in the middle of it leaves a beginning", async () => {
  const world = stage("killed");
  const wanted = request(world);
  world.host.plan = ({ kind }) => (kind === "download" ? { how: "kill", when: "halfway" } : null);
  void world.host.newLife().machine.network.download(wanted);
  world.pass(10_000);
  expect(lengthOf(world)).toBeGreaterThan(0);
  world.host.plan = () => null;
  const { machine } = world.host.newLife();
  await world.play(machine.network.download(wanted));
  expect(await world.play(machine.archive.digest(spool, signal))).toMatchObject({ digest: wanted.digest });
});

test("a server that is away is waited for as long as for a byte, and not longer than it is wanted", async () => {
  const world = stage("away");
  const { machine } = world.host.newLife();
  world.server.faults.away = true;
  const beganMs = world.time.nowMs;
  expect(await failure(world.play(machine.network.download(request(world))))).toBe("fetch-failed, again");
  expect(world.time.nowMs - beganMs).toBeGreaterThan(29_000);
  const off = new AbortController();
  const work = machine.network.download({ ...request(world), signal: off.signal });
  world.pass(5_000);
  off.abort();
  expect(await failure(world.play(work, 1_000))).toBe("aborted, again");
  world.server.faults.away = false;
  world.server.reaches = () => false;
  expect(await failure(world.play(machine.network.download(request(world))))).toBe("fetch-failed, again");
});

test("other bytes of the same length are stored, and have another digest", async () => {
  const world = stage("lies");
  const { machine } = world.host.newLife();
  const wanted = request(world);
  world.server.faults.lies = 1;
  await world.play(machine.network.download(wanted));
  const found = await world.play(machine.archive.digest(spool, signal));
  expect(found.bytes).toBe(wanted.size);
  expect(found.digest).not.toBe(wanted.digest as never);
});

test("more bytes than were announced are refused, and none of them kept", async () => {
  const world = stage("babbles");
  const { machine } = world.host.newLife();
  world.server.faults.babbles = 1;
  expect(await failure(world.play(machine.network.download(request(world))))).toBe("fetch-failed, again");
  expect(lengthOf(world)).toBe(0);
});

test("what is not there, too much for the server, or no source of the host's is not fetched", async () => {
  const world = stage("refusals");
  const { machine } = world.host.newLife();
  const wanted = request(world);
  const fetch = (more: Partial<DownloadRequest>) =>
    failure(world.play(machine.network.download({ ...wanted, ...more })));
  expect(await fetch({ url: "http://artefacts.example/unknown" })).toBe("fetch-failed");
  expect(await fetch({ sources: ["https://elsewhere.example/"] })).toBe("policy-refused");
  world.server.faults.overloaded = true;
  expect(await fetch({})).toBe("fetch-failed, again");
  world.host.disk.full = true;
  world.server.faults.overloaded = false;
  expect(await fetch({})).toBe("disk-full, again");
});
