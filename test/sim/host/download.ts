import { systemError } from "./system_error.ts";
import { writeError } from "../../../src/support/file_error.ts";
import { download, type DownloadRequest } from "../../../src/fetch/download.ts";
import { fetchFailed, GOES_ON } from "../../../src/fetch/fetch_error.ts";
import { originPath, withAnswer } from "../../../src/fetch/origin.ts";
import type { Spool } from "../../../src/fetch/pump.ts";
import { explainConnection } from "../../../src/fetch/source/http.ts";
import type { Answer, Source, SourceContext } from "../../../src/fetch/source/source.ts";
import { parseDownloadOrigin } from "../../../src/schema/download_origin.ts";
import type { Clock } from "../../../src/support/clock.ts";
import type { Trust } from "../../../src/support/trust.ts";
import type { ArtefactServer } from "./artefacts.ts";
import type { FileNode } from "./file_tree.ts";
import type { Ground } from "./ground.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim_disk.ts";

const CHUNKS = 4;
const LONGEST_CHUNK_MS = 150;

export interface Downloading {
  readonly life: Life;
  readonly ground: Ground;
  readonly host: string;
  readonly server: ArtefactServer;
  readonly clock: Clock;
}

/** A download of the production code, from the rehearsal's server onto the rehearsal's disk. */
export function downloadTo(request: DownloadRequest, on: Downloading): Promise<void> {
  const { life, ground, clock } = on;
  return download(request, {
    clock,
    trust: nobody,
    kinds: { "http:": (context) => artefactSource(context, on) },
    openSpool: (path) => SimSpool.open(path, life, ground.disk),
  });
}

/** The servers of the rehearsal have no certificates. */
const nobody: Trust = { authorities: () => Promise.resolve(null) };

function artefactSource({ trust, waitFor }: SourceContext, { life, ground, host, server }: Downloading): Source {
  const pauseMs = (): number => ground.chance.random() * LONGEST_CHUNK_MS * server.faults.slowness;
  const pause = (): Promise<void> => life.lookAfter(pauseMs(), () => undefined);
  return {
    open: async (url, { length }, signal): Promise<Answer> => {
      const given = await life.lookAfter(pauseMs(), () =>
        server.faults.away || !server.reaches(host) ? "silence" : server.answer(url, length),
      );
      if (given === "silence") return waitFor(() => new Promise<never>(() => {}));
      if (server.faults.overloaded) {
        const { retryAfterMs } = server.faults;
        throw fetchFailed(url, "the server answered 503", { retry: true, hint: GOES_ON, retryAfterMs });
      }
      if (given === null) {
        const hint = "The build is not there: upload it again, or fix its URL.";
        throw fetchFailed(url, "the server answered 404", { retry: false, hint });
      }
      return {
        url,
        brings: length > 0 ? "the rest" : "the whole",
        size: null,
        mayGrow: false,
        validator: null,
        coding: "",
        bytes: chunksOf(given, pause, signal),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
    explain: (error, soFar) => explainConnection(error, soFar, { trust }),
  };
}

async function* chunksOf(
  { bytes, isCut }: { readonly bytes: Uint8Array; readonly isCut: boolean },
  pause: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const step = Math.max(1, Math.ceil(bytes.length / CHUNKS));
  for (let at = 0; at < bytes.length; at += step) {
    await pause();
    signal.throwIfAborted();
    yield bytes.subarray(at, at + step);
  }
  if (isCut) throw systemError("ECONNRESET", "read", "the server");
}

/** A spool on a disk that fills up, and whose agent may die at any of its effects. */
class SimSpool implements Spool {
  readonly validator = null;
  readonly #path: string;
  readonly #file: FileNode;
  readonly #life: Life;
  readonly #disk: SimDisk;

  private constructor(path: string, file: FileNode, life: Life, disk: SimDisk) {
    this.#path = path;
    this.#file = file;
    this.#life = life;
    this.#disk = disk;
  }

  static async open(path: string, life: Life, disk: SimDisk): Promise<SimSpool> {
    try {
      const there = await life.look(() => disk.look(path));
      const file =
        there === null
          ? await life.effect("write", `make ${path}`, () => disk.open(path))
          : await life.look(() => disk.open(path));
      return new SimSpool(path, file, life, disk);
    } catch (error) {
      throw writeError("Cannot open the file for a download", path, 0, error);
    }
  }

  get length(): number {
    return this.#file.bytes.length;
  }

  restart(): Promise<void> {
    return this.#life.effect("write", `empty ${this.#path}`, () => this.#disk.truncate(this.#file));
  }

  async begin(brings: "the whole" | "the rest", validator: string | null): Promise<void> {
    if (brings === "the whole" && this.length > 0) await this.restart();
    const path = originPath(this.#path);
    const found = await this.#life.look(() => this.#disk.readWorn(path, false));
    const origin = parseDownloadOrigin(found === null ? null : Buffer.from(found.bytes).toString());
    const text = JSON.stringify(withAnswer(origin, brings, validator));
    const write = (part: string): void => {
      const file = this.#disk.open(path);
      this.#disk.truncate(file);
      this.#disk.append(file, Buffer.from(part));
    };
    await this.#storing(0, () =>
      this.#life.effect(
        "write",
        `note in ${path} what it is from`,
        () => write(text),
        () => write(text.slice(0, 9)),
      ),
    );
  }

  async append(bytes: Uint8Array): Promise<void> {
    const { length } = this;
    await this.#storing(length, () =>
      this.#life.effect(
        "download",
        `store ${bytes.length} bytes in ${this.#path}`,
        () => this.#disk.append(this.#file, bytes),
        () => this.#disk.append(this.#file, bytes.subarray(0, bytes.length >> 1)),
      ),
    );
  }

  flush(): Promise<void> {
    return this.#life.effect("flush", `flush ${this.#path}`, () => this.#disk.flushFile(this.#file));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #storing(length: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw writeError("Cannot store the download", this.#path, length, error);
    }
  }
}
