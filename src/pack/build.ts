import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { parse } from "../schema/problems.ts";
import { buildId } from "../schema/names.ts";
import { packDirectory } from "./pack_directory.ts";
import { hostDisk } from "../host/disk.ts";
import { checkBuild, type CheckedBuild } from "../steps/build_check.ts";
import { Files } from "../steps/files.ts";
import { RECIPE_FILE } from "../steps/layout.ts";
import { parseRecipe, readRecipeText } from "../steps/recipe.ts";
import { Exclusion } from "./exclusion.ts";

const packHelp = `deployd pack DIR [--build ID] [--out FILE] [--exclude GLOB]... [--include-git]

Makes a build of a directory: a tar.zst archive, the same bytes for the same content, and FILE.manifest.json beside it
with its digest and size, which \`deployd ctl builds add\` reads. What was packed is read again as hosts read it, and
what no host would take is refused.

  --build ID      the build's id (default: the first 12 digits of the archive's digest)
  --out FILE      where to write it (default: <directory>-<build>.tar.zst here)
  --exclude GLOB  leave out what has this name, as in '*.log', or, with a slash in it, this path from the top of DIR,
                  as in 'docs/*.pdf' or './tmp'; with a directory all that is in it. May be given several times
  --include-git   take .git along, which is left out otherwise
  --json          print the manifest as JSON

Example: deployd pack ./web --build v1 --exclude '*.log' --exclude ./tmp
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
  const exclusion = new Exclusion(flags.exclude, flags["include-git"]);
  const { notes: found, ...manifest } = await pack(resolve(dir), flags, { files, exclusion, ...host });
  const notes = [...found, ...exclusion.notes()];
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
  { files, exclusion, clock, signal }: PackProcess & { files: Files; exclusion: Exclusion },
): Promise<PackManifest & { path: string; notes: readonly string[] }> {
  // A mistake in it is told before an hour of packing.
  const recipePath = join(dir, RECIPE_FILE);
  const text = await readRecipeText(recipePath, recipePath, files);
  if (text !== null) parseRecipe(text, recipePath);
  const name = basename(dir);
  const first = resolve(flags.out ?? `${name}-${flags.build ?? "new"}.tar.zst`);
  const idFrom = (digest: string) => flags.build ?? digest.slice("sha256:".length, "sha256:".length + 12);
  let notes: readonly string[] = [];
  const packed = await packDirectory({
    dir,
    out: first,
    leavesOut: (path) => exclusion.leavesOut(path),
    check: async (archive, digest) => {
      const checked = await checkBuild({ archive, build: idFrom(digest), strip: undefined }, { clock, signal });
      requireRightTop(dir, checked);
      notes = checked.notes;
    },
    clock,
    signal,
  });
  const build = idFrom(packed.digest);
  const path = flags.out === undefined && flags.build === undefined ? resolve(`${name}-${build}.tar.zst`) : first;
  if (path !== first) await files.renameDurably(first, path);
  const { digest, size, entries, unpackedBytes } = packed;
  const manifest: PackManifest = { build, digest, size, entries, unpackedBytes };
  await files.writeAtomic(`${path}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  return { ...manifest, path, notes };
}

function requireRightTop(dir: string, { top }: CheckedBuild): void {
  if (top === null || !top.hasRecipe || top.isStripped) return;
  throw new DeployError(`Cannot pack ${dir}: all of it lies in "${top.name}", with the ${RECIPE_FILE} in there.`, {
    code: "usage",
    hint: `Pack ${join(dir, top.name)}, or write strip = 1 into that file.`,
  });
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
        exclude: { type: "string", multiple: true, default: [] },
        "include-git": { type: "boolean", default: false },
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
