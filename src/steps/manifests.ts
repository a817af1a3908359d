import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import { manifestSchema, type Manifest } from "../schema/manifest.ts";
import type { ReleaseRecord } from "../schema/release_record.ts";
import type { Files } from "./files.ts";
import { MANIFEST_FILE, type Layout } from "./layout.ts";
import { manifestOf, parseManifest, readManifestText } from "./manifest.ts";
import { readReleaseRecord, writeReleaseRecord } from "./release_records.ts";

/** The build that is served, the wished one, and those on a way back are all that is asked for. */
const REMEMBERED = 4;

/**
 * What to install, restart and check for the builds of one service: the build's own deployd.toml as its verified archive
 * had it, or, when it brings none, the service's section of the agent's file. A release belongs to the service's user once
 * it is unpacked; what is obeyed is kept beside it, where only the agent writes. A text is parsed once, however often the
 * same is read again.
 */
export class Manifests {
  readonly #service: string;
  readonly #layout: Layout;
  readonly #config: ServiceConfig;
  readonly #files: Files;
  /** By build, the one that was asked for last at the end. */
  readonly #parsed = new Map<string, { readonly text: string; readonly manifest: Manifest }>();
  /** Of former releases whose manifests could not be kept, as the disk is full or read-only. */
  readonly #adopted = new Map<string, string>();
  #section: Manifest | null = null;

  constructor(service: string, layout: Layout, config: ServiceConfig, files: Files) {
    this.#service = service;
    this.#layout = layout;
    this.#config = config;
    this.#files = files;
  }

  /** @throws DeployError `manifest-invalid` naming the file and its problems, or that there is no manifest at all */
  async read(build: string): Promise<Manifest> {
    const text = (await this.#files.readIfThere(this.#layout.manifest(build))) ?? this.#adopted.get(build);
    return text === undefined ? this.#ofSection(build) : this.#ofText(build, text);
  }

  /**
   * The manifest of a build that was just unpacked into `tree`, where nobody but the agent can reach it yet.
   *
   * @throws DeployError `manifest-invalid`
   */
  async ofTree(build: string, tree: string): Promise<{ text: string | null; manifest: Manifest }> {
    const text = await readManifestText(join(tree, MANIFEST_FILE), manifestOf(build), this.#files);
    return { text, manifest: text === null ? this.#ofSection(build) : this.#ofText(build, text) };
  }

  /** Keeps what `ofTree` found as the one that is obeyed. */
  async keep(build: string, text: string | null): Promise<Required<ReleaseRecord>["manifest"]> {
    this.#adopted.delete(build);
    const path = this.#layout.manifest(build);
    await this.#files.makeDirectory(this.#layout.builds, 0o755);
    if (text === null) await this.#files.removeTree(path);
    else await this.#files.writeAtomic(path, text);
    return text === null ? "none" : "brought";
  }

  /**
   * Keeps the manifests of releases that were there before manifests were kept: of those that a former deployd unpacked,
   * and, where deployd has never unpacked anything, of those that somebody put there by hand. They are believed once, now.
   */
  async adopt(): Promise<void> {
    const isNew = (await this.#files.kindOf(this.#layout.builds)) === "absent";
    for (const build of await this.#files.list(this.#layout.releases)) {
      const record = await readReleaseRecord(this.#layout, build, this.#files);
      const isKept = record === null ? !isNew : record.manifest !== undefined;
      if (!isKept) await this.#adopt(build, record);
    }
    if (isNew) await this.#files.makeDirectory(this.#layout.builds, 0o755).catch(() => {});
  }

  async #adopt(build: string, record: ReleaseRecord | null): Promise<void> {
    const path = join(this.#layout.release(build), MANIFEST_FILE);
    // What is no plain file was never obeyed.
    const text = await readManifestText(path, manifestOf(build), this.#files).catch(() => null);
    try {
      const manifest = await this.keep(build, text);
      if (record !== null) await writeReleaseRecord(this.#layout, build, { ...record, manifest }, this.#files);
    } catch {
      // The disk is full or read-only: what was read is good for this life, and the next one tries again.
      if (text !== null) this.#adopted.set(build, text);
    }
  }

  #ofText(build: string, text: string): Manifest {
    const before = this.#parsed.get(build);
    const manifest = before?.text === text ? before.manifest : parseManifest(text, manifestOf(build));
    this.#parsed.delete(build);
    this.#parsed.set(build, { text, manifest });
    for (const other of this.#parsed.keys()) {
      if (this.#parsed.size <= REMEMBERED) break;
      this.#parsed.delete(other);
    }
    return manifest;
  }

  #ofSection(build: string): Manifest {
    const { install, restart, drain, check } = this.#config;
    if (install === undefined && restart === undefined && check === undefined) {
      throw new DeployError(`Cannot tell how to run "${build}": it brings no ${MANIFEST_FILE}.`, {
        code: "manifest-invalid",
        hint: `Put a ${MANIFEST_FILE} at the top of the build, or [services.${this.#service}.restart] in the agent's file.`,
      });
    }
    this.#section ??= manifestSchema.parse({ install, restart, drain, check });
    return this.#section;
  }
}
