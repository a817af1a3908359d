import { noCounts, restartOf } from "../../../src/core/restart_progress.ts";
import { emptyJournal, type Journal, type RestartProgress } from "../../../src/schema/journal.ts";
import { layoutOf } from "../../../src/steps/layout.ts";
import type { BuildPlan } from "./builds.ts";
import { readRelease } from "./release.ts";
import type { Stage } from "./stage.ts";

/**
 * Leaves a host that serves v1 as an agent that was killed in the middle of its activation of another build does: the
 * release is in place, `current` leads to it, and the restart is where `restart` says. What is rolled runs the new build.
 */
export function rolledTo(
  world: Stage,
  plan: BuildPlan,
  restart: RestartProgress = restartOf([]),
  more: Partial<Journal> = {},
  soakMs = 0,
  isFlipped = true,
): void {
  const { host, service } = world;
  const build = world.build({ ...plan, restart: service.restart });
  const layout = layoutOf(service.root);
  const write = (path: string, text: string): void => {
    host.disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
    host.disk.append(host.disk.create(path), Buffer.from(text));
  };
  for (const [path, text] of build.files) write(`${layout.release(build.id)}/${path}`, text);
  host.disk.give(layout.release(build.id), service.user);
  write(layout.record(build.id), JSON.stringify({ digest: build.digest, installed: true }));
  if (isFlipped) {
    host.disk.removeFile(layout.current);
    host.disk.makeLink(layout.current, layout.linkTarget(build.id));
  }
  const journal: Journal = {
    ...emptyJournal,
    attempt: { number: 4, deploy: "d2", build: build.id },
    activation: {
      build: build.id,
      deploy: "d2",
      previous: "v1",
      attempt: 4,
      soakMs,
      bootId: `${host.name}-boot-1`,
      phase: { kind: "forward", restart },
      counts: noCounts,
    },
    proven: ["v1"],
    ...more,
  };
  write(layout.state, JSON.stringify(journal));
  host.disk.flushAll();
  if (service.restart !== "command") return;
  const release = readRelease(host.ground, layout.release(build.id));
  if (release === null) throw new Error(`"${build.id}" cannot be started`);
  for (const instance of service.instances) {
    if (restart.left.includes(instance.name)) continue;
    for (const { process } of host.running.of(service.root, instance.name)) process.end({ kind: "exited", code: 0 });
    host.running.start({ service, instance, release, byInit: false });
  }
}
