import { DeployError } from "../../../src/core/errors.ts";
import { asDiskError } from "../../../src/fetch/disk_error.ts";
import { fetchFailed } from "../../../src/fetch/fetch_error.ts";
import type { FetchRequest } from "../../../src/fetch/download.ts";
import { requireAllowedSource, shownUrl } from "../../../src/fetch/source/policy.ts";
import { originPath, otherLength } from "../../../src/fetch/spool.ts";
import { parseDownloadOrigin } from "../../../src/schema/download_origin.ts";
import { abortedError } from "../../../src/support/abort.ts";
import type { ArtefactServer } from "./artefacts.ts";
import type { FileNode } from "./file_tree.ts";
import type { Ground } from "./ground.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim_disk.ts";

const IDLE_TIMEOUT_MS = 30_000;
const CHUNKS = 4;
const LONGEST_CHUNK_MS = 150;
const PATIENCE = "The next attempt goes on where this one ended; if it stays so, look at the server and the network.";

/** A download as `fetchToFile` makes it: it goes on where a leftover ends, and never stores more than was announced. */
export async function download(
  request: FetchRequest,
  { life, ground, host, server }: { life: Life; ground: Ground; host: string; server: ArtefactServer },
): Promise<void> {
  const { size, signal } = request;
  const url = new URL(request.url);
  requireAllowedSource(url, request.sources);
  const requireWanted = (): void => {
    if (signal.aborted) throw abortedError(`fetch ${shownUrl(url)}`, signal);
  };
  requireWanted();
  const spool = await openSpool(life, ground.disk, request);
  if (spool.bytes.length !== size) {
    const pauseMs = (): number => ground.chance.random() * LONGEST_CHUNK_MS * server.faults.slowness;
    const given = await life.lookAfter(pauseMs(), () =>
      server.faults.away || !server.reaches(host) ? "silence" : server.answer(url, spool.bytes.length),
    );
    if (given === "silence") {
      await untilAborted(life, request, signal);
      requireWanted();
      const why = `no byte came for ${request.idleTimeoutMs ?? IDLE_TIMEOUT_MS} ms, after ${spool.bytes.length} of ${size} bytes`;
      throw fetchFailed(url, why, { retry: true, hint: PATIENCE });
    }
    if (server.faults.overloaded) {
      const { retryAfterMs } = server.faults;
      throw fetchFailed(url, "the server answered 503", { retry: true, hint: PATIENCE, retryAfterMs });
    }
    if (given === null) {
      const hint = "The build is not there: upload it again, or fix its URL.";
      throw fetchFailed(url, "the server answered 404", { retry: false, hint });
    }
    const { bytes, isCut } = given;
    await noteAnswer(life, ground.disk, request.into, spool.bytes.length > 0);
    const step = Math.max(1, Math.ceil(bytes.length / CHUNKS));
    for (let at = 0; at < bytes.length; at += step) {
      await life.lookAfter(pauseMs(), () => undefined);
      requireWanted();
      await append(life, ground.disk, request, spool, bytes.subarray(at, at + step), url);
      request.onProgress?.(spool.bytes.length);
    }
    if (isCut) {
      const why = `the connection failed after ${spool.bytes.length} of ${size} bytes (ECONNRESET)`;
      throw fetchFailed(url, why, { retry: true, hint: PATIENCE });
    }
  }
  if (spool.bytes.length !== size) {
    throw fetchFailed(url, `got ${spool.bytes.length} of ${size} bytes`, { retry: true, hint: PATIENCE });
  }
  await life.effect("flush", `flush ${request.into}`, () => ground.disk.flushFile(spool));
}

async function openSpool(life: Life, disk: SimDisk, { into, size }: FetchRequest): Promise<FileNode> {
  try {
    const there = await life.look(() => disk.look(into));
    if (there !== null) {
      const spool = await life.look(() => disk.open(into));
      if (spool.bytes.length > size) await life.effect("write", `empty ${into}`, () => disk.truncate(spool));
      return spool;
    }
    return await life.effect("write", `make ${into}`, () => disk.open(into));
  } catch (error) {
    throw asDiskError(error, "Cannot open the file for a download", into, 0);
  }
}

/** One answer more, or the first. */
async function noteAnswer(life: Life, disk: SimDisk, into: string, goesOn: boolean): Promise<void> {
  const path = originPath(into);
  const found = await life.look(() => disk.readWorn(path, false));
  const { answers, isAnew } = parseDownloadOrigin(found === null ? null : Buffer.from(found.bytes).toString());
  const origin = { answers: goesOn ? answers + 1 : 1, validator: null, isAnew };
  const write = (text: string): void => {
    const file = disk.open(path);
    disk.truncate(file);
    disk.append(file, Buffer.from(text));
  };
  const text = JSON.stringify(origin);
  try {
    await life.effect(
      "write",
      `note in ${path} what it is from`,
      () => write(text),
      () => write(text.slice(0, 9)),
    );
  } catch (error) {
    throw asDiskError(error, `Cannot store the download in ${into}`, into, 0);
  }
}

async function append(
  life: Life,
  disk: SimDisk,
  { into, size }: FetchRequest,
  spool: FileNode,
  bytes: Uint8Array,
  url: URL,
): Promise<void> {
  if (spool.bytes.length + bytes.length > size) {
    await life.effect("write", `empty ${into}`, () => disk.truncate(spool));
    throw otherLength(url, size, "it has more");
  }
  try {
    await life.effect(
      "download",
      `store ${bytes.length} bytes in ${into}`,
      () => disk.append(spool, bytes),
      () => disk.append(spool, bytes.subarray(0, bytes.length >> 1)),
    );
  } catch (error) {
    if (error instanceof DeployError) throw error;
    throw asDiskError(error, `Cannot store the download in ${into}`, into, spool.bytes.length);
  }
}

/** The silence of a server lasts until somebody calls the download off, or the time without a byte is over. */
async function untilAborted(life: Life, { idleTimeoutMs }: FetchRequest, signal: AbortSignal): Promise<void> {
  const over = life.lookAfter(idleTimeoutMs ?? IDLE_TIMEOUT_MS, () => undefined);
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  await Promise.race([over, aborted]);
  signal.removeEventListener("abort", onAbort);
}
