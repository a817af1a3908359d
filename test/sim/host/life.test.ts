import { expect, test } from "bun:test";
import { rejection } from "../../harness/rejection.ts";
import type { Death } from "./life.ts";
import { stage } from "./stage.ts";

const deaths: readonly Death["when"][] = ["before", "halfway", "after"];

test.each([
  ["before", ""],
  ["halfway", "12345"],
  ["after", "1234567890"],
] as const)("a process that is killed %s a write leaves %p", async (when, left) => {
  const { host, play, pass } = stage("life");
  host.plan = ({ what }) => (what.startsWith("write") ? { how: "kill", when } : null);
  const { machine, life } = host.newLife();
  const file = await play(machine.disk.createFile("/srv/a", 0o644));
  let heard = "nothing";
  file.write("1234567890").then(
    () => (heard = "done"),
    () => (heard = "failed"),
  );
  pass(1_000);
  expect(life.isOver).toBe(true);
  expect(heard).toBe("nothing");
  const there = host.disk.read("/srv/a", true);
  expect(Buffer.from(there?.bytes ?? []).toString()).toBe(left);
});

test.each(deaths)("nobody hears of an effect that fails, when its process is killed %s it", async (when) => {
  const { host, pass } = stage("life");
  host.plan = () => ({ how: "kill", when });
  const { machine } = host.newLife();
  let heard = "nothing";
  machine.disk.rename("/nowhere", "/somewhere").then(
    () => (heard = "done"),
    () => (heard = "failed"),
  );
  pass(1_000);
  expect(heard).toBe("nothing");
});

test("nothing of a dead process acts or hears, and its successor does both", async () => {
  const { host, play, pass } = stage("life");
  const first = host.newLife();
  let woke = false;
  void first.machine.clock.sleep(50).then(() => (woke = true));
  const asked = { answered: false };
  void first.machine.disk.look("/srv").then(() => (asked.answered = true));
  void first.machine.disk.makeDirectory("/srv/late");
  host.killAgent();
  pass(1_000);
  expect(woke).toBe(false);
  expect(host.disk.look("/srv/late")).toBeNull();
  const second = host.newLife();
  await play(second.machine.disk.makeDirectory("/srv/late"));
  expect(host.disk.look("/srv/late")?.kind).toBe("directory");
  expect(second.machine.pid).not.toBe(first.machine.pid);
  expect(second.machine.bootId).toBe(first.machine.bootId);
});

test("effects are counted over the lives of a host, and looks are not", async () => {
  const { host, play } = stage("life");
  const seen: string[] = [];
  host.onEffect = ({ number, kind }) => seen.push(`${number} ${kind}`);
  const first = host.newLife();
  await play(first.machine.disk.makeDirectory("/srv/a"));
  await play(first.machine.disk.look("/srv/a"));
  await play(first.machine.disk.makeDirectory("/srv/a"));
  host.killAgent();
  const second = host.newLife();
  await play(second.machine.disk.removeTree("/srv/a"));
  await play(second.machine.disk.removeTree("/srv/a"));
  expect(seen).toEqual(["1 name", "2 remove"]);
});

test("a power cut ends the life, and the machine comes back as another boot", async () => {
  const { host, play } = stage("life");
  const first = host.newLife();
  const told: string[] = [];
  first.life.onEnd((how) => told.push(how));
  host.onDeath = (how) => told.push(`host: ${how}`);
  host.powerCut();
  expect(told).toEqual(["power-cut", "host: power-cut"]);
  expect(() => host.newLife()).toThrow("no power");
  host.powerOn();
  const second = host.newLife();
  expect(second.machine.bootId).not.toBe(first.machine.bootId);
  expect((await play(second.machine.disk.look("/srv")))?.kind).toBe("directory");
});

test("one agent holds the lock until it dies", async () => {
  const { host, play } = stage("life");
  const first = host.newLife();
  await play(first.machine.lock.acquire("/srv/deployd/agent.lock"));
  expect(await rejection(play(first.machine.lock.acquire("/srv/deployd/agent.lock")))).toMatchObject({
    code: "already-running",
  });
  host.killAgent();
  await play(host.newLife().machine.lock.acquire("/srv/deployd/agent.lock"));
});

test("a stopped process hears of everything in order when it goes on, and what it had called off never", async () => {
  const { host, pass } = stage("life");
  const { machine } = host.newLife();
  const heard: string[] = [];
  machine.clock.after(10, () => {
    heard.push("first timer");
    callOff();
  });
  const callOff = machine.clock.after(20, () => void heard.push("called off"));
  void machine.disk.makeDirectory("/srv/begun").then(() => heard.push("directory"));
  host.freezeAgent();
  pass(5_000);
  expect(heard).toEqual([]);
  // What the kernel had begun is done all the same.
  expect(host.disk.look("/srv/begun")?.kind).toBe("directory");
  host.thawAgent();
  pass(5_000);
  expect(heard).toEqual(["directory", "first timer"]);
});

test("a stopped process can be killed, and hears of nothing afterwards", () => {
  const { host, pass } = stage("life");
  const { machine, life } = host.newLife();
  let woke = false;
  void machine.clock.sleep(10).then(() => (woke = true));
  host.freezeAgent();
  host.killAgent();
  life.thaw();
  pass(1_000);
  expect(life.isOver).toBe(true);
  expect(woke).toBe(false);
});
