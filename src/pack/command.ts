import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { parse } from "../schema/problems.ts";
import { buildId } from "../schema/names.ts";
import { packDirectory } from "../fetch/pack.ts";
import { hostDisk } from "../host/disk.ts";
import { parseManifest } from "../steps/manifest.ts";
import { Files } from "../steps/files.ts";
import { sharedContent } from "./shared_content.ts";
import { MANIFEST_FILE } from "../steps/layout.ts";

const packHelp = `deployd pack DIR [--build ID] [--out FILE]

Makes a build of a directory: a tar.zst archive, the same bytes for the same content, and FILE.manifest.json beside it
with its digest and size, which \`deployd ctl builds add\` reads.

  --build ID   the build's id (default: the first 12 digits of the archive's digest)
  --out FILE   where to write it (default: <directory>-<build>.tar.zst here)
  --json       print the manifest as JSON

Example: deployd pack ./web --build v1
`;

/** What `deployd pack` writes beside the archive. */
interface PackManifest {
  readonly build: string;
  readonly digest: string;
  readonly size: number;
  readonly entries: number;
  readonly unpackedBytes: number;
}

export interface PackProcess {
  readonly stdout: { write(text: string): void };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `deployd pack`. Returns the exit code. @throws DeployError */
export async function packCommand(argv: readonly string[], host: PackProcess): Promise<number> {
  const { flags, dir } = parsePackArgs(argv);
  if (flags.help) {
    host.stdout.write(packHelp);
    return 0;
  }
  if (dir === undefined) {
    throw new DeployError("Cannot pack: no directory was named.", { code: "usage", hint: "See: deployd pack --help" });
  }
  if (flags.build !== undefined) requireBuildId(flags.build);
  const files = new Files(hostDisk, host.clock);
  const manifestText = await files.readIfThere(resolve(dir, MANIFEST_FILE));
  // A mistake in it would otherwise be found by every host at once.
  const notes =
    manifestText === null
      ? [`there is no ${MANIFEST_FILE} in it: the agents' own files must say how it runs`]
      : await sharedContent(
          resolve(dir),
          parseManifest(manifestText, resolve(dir, MANIFEST_FILE)).install.shared,
          files,
        );
  const manifest = await pack(resolve(dir), flags, files, host);
  if (flags.json) host.stdout.write(`${JSON.stringify({ schema: "deployd.pack/1", ...manifest, notes })}\n`);
  else {
    host.stdout.write(
      `${manifest.path}\n  build   ${manifest.build}\n  digest  ${manifest.digest}\n  size    ${manifest.size} bytes, ${manifest.entries} entries, ${manifest.unpackedBytes} bytes unpacked\n${notes.map((note) => `  note    ${note}\n`).join("")}`,
    );
  }
  return 0;
}

async function pack(
  dir: string,
  flags: { build?: string | undefined; out?: string | undefined },
  files: Files,
  { clock, signal }: PackProcess,
): Promise<PackManifest & { path: string }> {
  const name = basename(dir);
  const first = resolve(flags.out ?? `${name}-${flags.build ?? "new"}.tar.zst`);
  const packed = await packDirectory({ dir, out: first, clock, signal });
  const build = flags.build ?? packed.digest.slice("sha256:".length, "sha256:".length + 12);
  const path = flags.out === undefined && flags.build === undefined ? resolve(`${name}-${build}.tar.zst`) : first;
  if (path !== first) await files.renameDurably(first, path);
  const { digest, size, entries, unpackedBytes } = packed;
  const manifest: PackManifest = { build, digest, size, entries, unpackedBytes };
  await files.writeAtomic(`${path}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  return { ...manifest, path };
}

function requireBuildId(id: string): void {
  const parsed = parse(buildId, id);
  if (parsed.ok) return;
  throw new DeployError(`Cannot call a build "${id}": ${parsed.problems.join("; ")}.`, {
    code: "usage",
    hint: "Take a commit id or a version, as in 9b1e0d4.",
  });
}

function parsePackArgs(argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        build: { type: "string" },
        out: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (positionals.length > 1) throw new Error(`one directory is wanted, not ${positionals.join(" ")}`);
    return { flags: values, dir: positionals[0] };
  } catch (error) {
    throw new DeployError(`Cannot pack: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "usage",
      hint: "See: deployd pack --help",
    });
  }
}
