import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../support/clock.ts";
import { packDirectory, type PackedBuild } from "../pack/pack_directory.ts";

/**
 * How the sample service is run. `$SAMPLE_SERVICE` and `$PORT` come from the host's own file, the rest from deployd:
 * see docs/recipe.md.
 */
const RECIPE = `# What this build says about itself. ZooKeeper only says which build; this file says what runs.
[install]
steps = ["echo installed on $DEPLOYD_HOST > installed.txt"]

[restart]
by = "command"
stop = """
pid=$(cat "$DEPLOYD_ROOT/service.pid" 2>/dev/null) || exit 0
kill "$pid" 2>/dev/null || exit 0
# Its number stays taken until its parent asks for it; its command line goes at once.
while grep -q . "/proc/$pid/cmdline" 2>/dev/null; do sleep 0.02; done
"""
start = """
eval "$SAMPLE_SERVICE" --port "$PORT" --release "$DEPLOYD_RELEASE" --pid-file "$DEPLOYD_ROOT/service.pid" \\
  >> "$DEPLOYD_ROOT/service.log" 2>&1 &
"""

[check]
http = "http://127.0.0.1:\${PORT}/health"
interval_s = 0.1
deadline_s = 5
`;

export interface SampleBuild {
  readonly id: string;
  readonly greeting: string;
}

export const sampleBuilds: readonly SampleBuild[] = [
  { id: "v1", greeting: "hello from v1\n" },
  { id: "v2", greeting: "hello from v2, now with a second line\n" },
  { id: "v3", greeting: "this one is broken\n" },
];

/** Packs one sample build into `dir` and returns what `ctl builds add` needs. */
export async function packSample(build: SampleBuild, dir: string, clock: Clock): Promise<PackedBuild> {
  const tree = join(dir, `sample-${build.id}`);
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, "deployd.toml"), RECIPE);
  await writeFile(join(tree, "greeting.txt"), build.greeting);
  try {
    return await packDirectory({ clock, dir: tree, out: join(dir, `sample-${build.id}.tar.zst`) });
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}
