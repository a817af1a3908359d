import { installProduct, PROGRAM_FILE, type Program } from "./builds.ts";
import { textOf } from "./disk_port.ts";
import type { Ground } from "./ground.ts";

/** A release as a program finds it when it starts from there. */
export interface Release {
  readonly directory: string;
  readonly program: Program;
  /** Every file of it is what its build has. */
  readonly isGenuine: boolean;
  /** Every install step left what it leaves when it ends well. */
  readonly isInstalled: boolean;
}

/** @returns null where nothing can be started from there */
export function readRelease(ground: Ground, directory: string): Release | null {
  const text = readOrNull(ground, `${directory}/${PROGRAM_FILE}`);
  const program = text === null ? null : parseProgram(text);
  if (program === null) return null;
  const build = ground.builds.get(program.build);
  const isGenuine =
    build !== undefined &&
    [...build.files].every(([path, wanted]) => readOrNull(ground, `${directory}/${path}`) === wanted);
  const isInstalled = program.install.every((_, at) => {
    const { name, text } = installProduct(program.build, at + 1);
    return readOrNull(ground, `${directory}/${name}`) === text;
  });
  return { directory, program, isGenuine, isInstalled };
}

/** Where `current` leads; null where it leads nowhere. */
export function currentDirectory(ground: Ground, root: string): string | null {
  try {
    if (ground.disk.look(`${root}/current`)?.kind !== "link") return null;
    const target = ground.disk.readLink(`${root}/current`);
    return target.startsWith("/") ? target : `${root}/${target}`;
  } catch {
    return null;
  }
}

function readOrNull({ disk }: Ground, path: string): string | null {
  try {
    const found = disk.read(path, true);
    return found === null ? null : textOf(found.bytes);
  } catch {
    return null;
  }
}

function parseProgram(text: string): Program | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && "character" in parsed ? (parsed as Program) : null;
  } catch {
    return null;
  }
}
