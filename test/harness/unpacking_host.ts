import { copyFile, mkdir } from "node:fs/promises";
import { agentConfig } from "../../src/agent/config.ts";
import { isDeployError } from "../../src/core/errors.ts";
import { unpackArchive } from "../../src/fetch/tree/unpack.ts";
import { hostDisk } from "../../src/host/disk.ts";
import type { Owner } from "../../src/support/command.ts";
import { extractStep } from "../../src/steps/extract.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { KeptRecipes } from "../../src/steps/kept_recipes.ts";
import { systemClock as clock } from "../../src/support/clock.ts";
import { digestOfFile } from "./real_time.ts";

export interface Verdict {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export const TAKEN: Verdict = { code: "taken", message: "", hint: "" };

/** A host that knows by its own file how builds run that do not say it. */
const AGENT = '[zookeeper]\nservers = "nowhere:1"\n[services.web.restart]\nby = "command"\nstart = "true"\n';

/** What a host makes of an archive: its own step, from the verified archive to the release below `root`. */
export async function hostSays(request: {
  readonly archive: string;
  readonly build: string;
  readonly strip?: 0 | 1 | undefined;
  readonly root: string;
  readonly owner?: Owner;
}): Promise<Verdict> {
  const { archive, build, strip, root, owner } = request;
  const files = new Files(hostDisk, clock);
  const layout = layoutOf(root);
  const { digest, bytes } = await digestOfFile(archive);
  await mkdir(layout.staging(build), { recursive: true });
  await copyFile(archive, layout.verified(build, digest));
  const section = agentConfig(AGENT, "agent.toml", {}, "box").services["web"];
  if (section === undefined) throw new Error("the service is gone from the file");
  const record = { url: "file:///x", digest, size: bytes, time: "2026-07-01T12:00:00.000Z" };
  const work = {
    service: "web",
    build,
    deploy: "d",
    layout,
    record: { ...record, ...(strip === undefined ? {} : { strip }) },
  };
  const limits = { maxBytes: 1_000_000_000, maxEntries: 10_000 };
  const recipes = new KeptRecipes("web", layout, section, files);
  const effects = {
    files,
    archive: {
      digest: digestOfFile,
      unpack: (unpacking: Omit<Parameters<typeof unpackArchive>[0], "clock">) => unpackArchive({ ...unpacking, clock }),
    },
    network: { download: () => Promise.reject(new Error("nothing is fetched")) },
    run: () => Promise.reject(new Error("nothing is run")),
    signal: new AbortController().signal,
  };
  try {
    await extractStep(work, { limits, owner, recipes, onGaveWay: () => {} }, effects);
    return TAKEN;
  } catch (error) {
    if (!isDeployError(error)) throw error;
    return { code: error.code, message: error.message, hint: error.hint };
  }
}
