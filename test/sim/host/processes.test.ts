import { expect, test } from "bun:test";
import { BEGINNING_MS, VirtualTime } from "../time.ts";
import { provision } from "./facts.ts";
import { ProcessTable } from "./process_table.ts";
import { stage } from "./stage.ts";

const facts = { parent: 1, uid: 0, root: null, instance: null, marker: null };

test("a process is known by its pid and its ticks, and its start by the clock on the wall as it is now", async () => {
  const world = stage("processes", { wall: { offsetMs: 0, drift: 0 } });
  const { host, service, play, pass, time } = world;
  pass(5_000);
  provision(host, service, world.build({ id: "v1" }));
  const startedAtMs = time.nowMs;
  pass(1_000);
  const { machine } = host.newLife();
  const [found] = await play(machine.processes.of({ root: service.root, uid: null, mains: [] }));
  const pid = found?.pid ?? 0;
  expect(found).toMatchObject({ parent: 1, startTicks: 500, startedAtMs: BEGINNING_MS + startedAtMs });
  expect(await play(machine.processes.fact(pid))).toMatchObject({ startTicks: 500, uid: 1000 });
  expect(await play(machine.processes.listens(pid))).toBe(true);
  expect(await play(machine.processes.openConnections([pid]))).toBe(await play(machine.traffic.openAt(8001)));
  host.wall.offsetMs = 3_600_000;
  const later = await play(machine.processes.fact(pid));
  expect(Math.abs((later?.startedAtMs ?? 0) - (BEGINNING_MS + startedAtMs + 3_600_000))).toBeLessThanOrEqual(10);
  machine.processes.kill(pid, "SIGKILL");
  expect(await play(machine.processes.fact(pid))).toBeNull();
  expect(await play(machine.processes.listens(pid))).toBe(false);
  expect(() => machine.processes.kill(pid, "SIGTERM")).toThrow("ESRCH");
});

test("a command is a child of its agent, and nobody's when that is dead", async () => {
  const { host, service, build, play, pass } = stage("family");
  provision(host, service, build({ id: "v1", install: [{ kind: "hangs" }] }));
  const first = host.newLife();
  void first.machine.commands.run({
    run: "./svc install 1",
    cwd: `${service.root}/releases/v1`,
    env: { DEPLOYD_ROOT: service.root },
    timeoutMs: 60_000,
    logFile: `${service.root}/log/v1/install.log`,
    maxLogBytes: 1_000,
    marker: "step",
    signal: new AbortController().signal,
  });
  pass(1_000);
  expect(await play(first.machine.processes.descendants(first.machine.pid))).toMatchObject([
    { parent: first.machine.pid },
  ]);
  host.killAgent();
  const second = host.newLife();
  expect(await play(second.machine.processes.descendants(first.machine.pid))).toEqual([]);
  expect(host.processes.all().find(({ facts }) => facts.marker === "step")?.parent).toBe(1);
});

test("a port belongs to one process until that ends", () => {
  const table = new ProcessTable(new VirtualTime());
  const [one, other] = [table.start(facts), table.start(facts)];
  expect(one.listen(80)).toBe(true);
  expect(other.listen(80)).toBe(false);
  one.end({ kind: "exited", code: 0 });
  expect(other.listen(80)).toBe(true);
  expect(table.at(80)).toBe(other);
});

test("a pid is used again when all have been, and by one process at a time", () => {
  const table = new ProcessTable(new VirtualTime());
  const first = table.start(facts);
  let last = first;
  for (let count = 0; count < 32_768 - first.pid; count += 1) {
    last = table.start(facts);
    last.end({ kind: "exited", code: 0 });
  }
  expect(last.pid).toBe(32_768);
  const again = [table.start(facts).pid, table.start(facts).pid];
  expect(again.every((pid) => pid >= 300 && pid !== first.pid)).toBe(true);
  expect(table.get(first.pid)).toBe(first);
});
