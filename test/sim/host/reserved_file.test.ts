import { expect, test } from "bun:test";
import { Files } from "../../../src/steps/files.ts";
import { ReservedFile } from "../../../src/steps/reserved_file.ts";
import type { Death } from "./life.ts";
import { stage, type Stage } from "./stage.ts";

const PATH = "/srv/web/state.json";
const SEEDS = 9;

/** Writes texts one after the other in a life of its own, until it dies or is done. Returns those that it was told of. */
function write({ host, pass }: Stage, texts: readonly string[]): string[] {
  const { machine } = host.newLife();
  const file = new ReservedFile(new Files(machine.disk, machine.clock), PATH, 0o600);
  const told: string[] = [];
  void (async () => {
    await file.read();
    for (const text of texts) {
      await file.write(text);
      told.push(text);
    }
  })();
  // Sooner than the kernel flushes by itself.
  pass(2_000);
  host.killAgent();
  return told;
}

function dieAt({ host }: Stage, nth: number, death: Death): void {
  const first = host.effects;
  host.plan = () => (host.effects - first === nth ? death : null);
}

test("whenever its writer is killed and its successor loses power, the file is the last text or the one after it", () => {
  const broken: string[] = [];
  let deaths = 0;
  for (let seed = 0; seed < SEEDS; seed += 1) {
    for (let kill = 1; kill <= 16; kill += 1) {
      for (let cut = 1; cut <= 12; cut += 1) {
        const when = (["before", "halfway", "after"] as const)[seed % 3] ?? "after";
        const world = stage(`reserved ${seed} ${kill} ${cut}`);
        const { host } = world;
        host.disk.makeDirectory("/srv/web");
        write(world, ['"a"', '"b"']);
        host.disk.flushAll();
        dieAt(world, kill, { how: "kill", when });
        const first = write(world, ['"c"', '"d"', '"e"']);
        dieAt(world, cut, { how: "power-cut", when });
        const second = write(world, ['"f"', '"g"', '"h"']);
        if (second.length < 3) deaths += 1;
        const last = second.at(-1) ?? first.at(-1) ?? '"b"';
        const bytes = host.disk.read(PATH, true)?.bytes ?? [];
        const text = Buffer.from(bytes).toString();
        const isWhole = /^"[a-h]" +\n$/.test(text);
        if (!isWhole || text.slice(0, 3) < last) {
          broken.push(`killed ${when} effect ${kill}, cut ${when} ${cut}: ${text.trim()} after ${last}`);
        }
      }
    }
  }
  expect(deaths).toBeGreaterThan(500);
  expect(broken).toEqual([]);
});
