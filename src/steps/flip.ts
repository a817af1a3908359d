import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/** Points `current` at the build. One rename: whoever looks sees the old release or the new one, never none. */
export async function flipStep(layout: Layout, build: string, files: Files): Promise<void> {
  await files.flip(layout.current, layout.linkTarget(build), layout.wayBack);
}

/** Makes the link by which `flipStep` comes back to this build, on a disk that may be full by then. */
export async function prepareWayBack(layout: Layout, build: string, files: Files): Promise<void> {
  await files.flip(layout.wayBack, layout.linkTarget(build));
}
