import { join } from "node:path";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/** In several files, since a disk can be out of names as well as out of bytes. */
const FILES = 4;
const BYTES = 64 * 1024;

/**
 * Takes a little room that nobody needs, for `dropBallast` to give to a service that is started on a full disk: for its pid
 * file, the first lines of its log. What deployd itself needs then is set aside where nobody else can take it.
 */
export async function keepBallast(layout: Layout, files: Files): Promise<void> {
  const there = new Set(await files.list(layout.ballast));
  if (there.size >= FILES) return;
  await files.makeDirectory(layout.ballast, 0o700);
  for (let at = 0; at < FILES; at += 1) {
    if (!there.has(String(at))) await files.fill(join(layout.ballast, String(at)), BYTES);
  }
}

export async function dropBallast(layout: Layout, files: Files): Promise<void> {
  await files.removeTree(layout.ballast);
}
