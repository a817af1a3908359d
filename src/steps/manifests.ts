import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import { manifestSchema, type Manifest } from "../schema/manifest.ts";
import type { Files } from "./files.ts";
import { MANIFEST_FILE, type Layout } from "./layout.ts";
import { parseManifest } from "./manifest.ts";

/** The build that is served, the wished one, and those on a way back are all that is asked for. */
const REMEMBERED = 4;

/**
 * What to install, restart and check for the builds of one service that lie in `releases/`: the build's own deployd.toml,
 * or, when it brings none, the service's section of the agent's file. The file is read whenever it is asked for, since it
 * may be gone or another by then; a text is parsed once, however often the same is read again.
 */
export class Manifests {
  readonly #service: string;
  readonly #layout: Layout;
  readonly #config: ServiceConfig;
  readonly #files: Pick<Files, "readUnlinked">;
  /** By build, the one that was asked for last at the end. */
  readonly #parsed = new Map<string, { readonly text: string; readonly manifest: Manifest }>();
  #section: Manifest | null = null;

  constructor(service: string, layout: Layout, config: ServiceConfig, files: Pick<Files, "readUnlinked">) {
    this.#service = service;
    this.#layout = layout;
    this.#config = config;
    this.#files = files;
  }

  /** @throws DeployError `manifest-invalid` naming the file and its problems, or that there is no manifest at all */
  async read(build: string): Promise<Manifest> {
    // Releases belong to the service's user, who could put a link to somebody else's file there.
    const text = await this.#files.readUnlinked(join(this.#layout.release(build), MANIFEST_FILE));
    return text === null ? this.#ofSection(build) : this.#ofText(build, text);
  }

  #ofText(build: string, text: string): Manifest {
    const before = this.#parsed.get(build);
    const manifest =
      before?.text === text ? before.manifest : parseManifest(text, `${MANIFEST_FILE} of build "${build}"`);
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
