import { join } from "node:path";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/** The space is spread over several files, since a disk can run out of inodes as well as of bytes. */
const FILES = 4;
const BYTES = 64 * 1024;

/**
 * Reserves a little disk space, which `dropBallast` frees for a service that is started on a full disk: for its pid file
 * and the first lines of its log. What deployd itself needs then is reserved separately, where nobody else can take it.
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
