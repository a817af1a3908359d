import type { Layout } from "./layout.ts";
import type { StepFiles } from "./ports.ts";

/** Points `current` at the build. One rename: whoever looks sees the old release or the new one, never none. */
export async function flipStep(layout: Layout, build: string, files: StepFiles): Promise<void> {
  await files.flipSymlink(layout.current, layout.linkTarget(build));
}
