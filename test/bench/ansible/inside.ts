import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startZooKeeper } from "../../harness/zookeeper.ts";
import { type Build, packBuilds, PORTS } from "./build.ts";
import { Fleet } from "./fleet.ts";
import { type Machine, makeMachines, OUTSIDE, requireServed } from "./machines.ts";
import { Ansible } from "./playbook.ts";

/*
 * The bench itself, in process, mount and network namespaces of its own that the kernel takes down with it: see
 * ansible.ts. It prints one line of JSON for each thing that it has to say.
 */

const HOSTS = 20;
const [directory = "", counted = "1", ...sides] = Bun.argv.slice(2);
const rounds = Number(counted);

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

await mkdir(directory, { recursive: true });
// Two a round: before the one that is measured, agents that were just started deploy another.
const builds = await packBuilds(join(directory, "builds"), 2 * rounds);
const files = Bun.serve({
  hostname: "0.0.0.0",
  port: 0,
  fetch: (request) => new Response(Bun.file(join(directory, "builds", new URL(request.url).pathname))),
});
const urlOf = ({ id }: Build): string => `http://${OUTSIDE}:${files.port}/${id}.tar.zst`;
const machines = await makeMachines(join(directory, "hosts"), HOSTS);
const ansible = sides.includes("ansible") ? await Ansible.setUp(machines, join(directory, "ansible")) : null;
const fleet = sides.includes("deployd") ? await fleetOf(machines) : null;
tell({ note: `${HOSTS} hosts, a build of ${((builds[0]?.bytes ?? 0) / 1e6).toFixed(1)} MB` });

for (let round = 0; round < rounds; round += 1) {
  const [before, measured] = builds.slice(2 * round);
  if (before === undefined || measured === undefined) throw new Error("there are too few builds");
  if (ansible !== null) {
    if (round === 0) await ansible.deploy(before, urlOf(before));
    const { tookMs, stepsMs } = await ansible.deploy(measured, urlOf(measured));
    await requireServed(machines, PORTS.ansible, measured.id);
    tell({ who: "ansible", tookMs, stepsMs });
  }
  if (fleet !== null) {
    // Not while Ansible is measured: even idle agents use some processor time.
    await fleet.start();
    await fleet.deploy(before);
    const { tookMs, timeline } = await fleet.deploy(measured);
    await requireServed(machines, PORTS.deployd, measured.id);
    tell({ who: "deployd", tookMs, ...timeline });
    await fleet.stop();
  }
}
process.exit(0);

async function fleetOf(machines: readonly Machine[]): Promise<Fleet> {
  const zookeeper = await startZooKeeper({
    dataDir: join(directory, "zookeeper"),
    config: ["clientPortAddress=0.0.0.0"],
  });
  const source = `http://${OUTSIDE}:${files.port}/`;
  const fleet = await Fleet.setUp(machines, { zookeeper: `${OUTSIDE}:${zookeeper.port}`, directory, source });
  for (const build of builds) await fleet.add(build, urlOf(build));
  return fleet;
}
