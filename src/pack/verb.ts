import { buildCommand } from "@stricli/core";
import { exit } from "../cli/exit.ts";
import { anyText, isGiven, jsonFlag, matching, type JsonFlag } from "../cli/flags.ts";
import { description } from "../cli/help.ts";
import type { Process } from "../cli/process.ts";
import { verb } from "../cli/verb.ts";
import { buildId } from "../schema/names.ts";
import type { PackFlags } from "./build.ts";

const optional = { kind: "parsed", parse: anyText, optional: true } as const;

export const pack = buildCommand({
  docs: {
    brief: "Make a build of a directory",
    fullDescription: description({
      what: `Makes a build of a directory: a tar.zst archive, the same bytes for the same content, and
FILE.manifest.json beside it with its digest and size, which \`deployd ctl builds add\` reads.
The archive is read again as hosts read it, and refused if no host would accept it.
.git is excluded, wherever it is.`,
      examples: ["deployd pack ./web --build v1", "deployd pack ./web --exclude '*.log' --exclude ./tmp"],
      exits: {
        [exit.asked]: "the archive and its manifest are written",
        [exit.failed]: "failed, or no host would accept the archive",
        [exit.usage]: "wrong usage, no such directory, or its deployd.toml is wrong",
      },
    }),
  },
  parameters: {
    flags: {
      build: {
        ...optional,
        parse: matching(buildId),
        brief: "Id of the build (default: the first 12 digits of the archive's digest)",
        placeholder: "id",
      },
      out: {
        ...optional,
        brief: "Where to write the archive (default: <directory>-<build>.tar.zst here)",
        placeholder: "file",
      },
      exclude: {
        ...optional,
        variadic: true,
        brief:
          "Leave out what has this name, as in '*.log', or this path from the top, as in 'assets/*.map' or './tmp'; may be given several times (default: none)",
        placeholder: "glob",
      },
      includeGit: isGiven("Include .git"),
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [{ brief: "The directory; all that is in it is packed", placeholder: "directory", parse: anyText }],
    },
  },
  func: verb<Process, PackFlags & JsonFlag, [string]>(async ({ process: { clock, signal }, output }, flags, dir) => {
    const { packBuild } = await import("./build.ts");
    const { path, manifest, notes } = await packBuild(dir, flags, { clock, signal });
    const { build, digest, size, entries, unpackedBytes } = manifest;
    output.answer({ schema: "deployd.pack/1", ...manifest, path, notes }, [
      path,
      `  build   ${build}`,
      `  digest  ${digest}`,
      `  size    ${size} bytes, ${entries} entries, ${unpackedBytes} bytes unpacked`,
      ...notes.map((note) => `  note    ${note}`),
    ]);
    return exit.asked;
  }),
});
