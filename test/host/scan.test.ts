import { expect, test } from "bun:test";
import { chmod, copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { processFact, processesOf } from "../harness/real_time.ts";

interface Child extends AsyncDisposable {
  readonly pid: number;
}

function start(argv: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Child {
  const child = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"], ...options });
  return {
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Until then it is still the shell or the runtime that has been forked. */
async function running(child: Child, program: string): Promise<void> {
  await eventually(async () => (await processFact(child.pid))?.cmd.includes(program));
}

async function service(): Promise<{ root: string; release: (build: string) => Promise<string> } & AsyncDisposable> {
  const dir = await tempDir();
  const root = join(dir.path, "web");
  return {
    root,
    release: async (build) => {
      const path = join(root, "releases", build);
      await mkdir(join(path, "sub"), { recursive: true });
      return path;
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

const pids = async (root: string): Promise<[number, string | null][]> =>
  (await processesOf(root)).map((fact) => [fact.pid, fact.release]);

test("a process is found by its directory, by its program and by an argument, each with its release", async () => {
  await using web = await service();
  const [b1, b2, b3] = [await web.release("b1"), await web.release("b2"), await web.release("b3")];
  await copyFile("/bin/sleep", join(b2, "server"));
  await using byCwd = start(["sleep", "300"], { cwd: join(b1, "sub"), env: { DEPLOYD_ROOT: web.root } });
  await using byExe = start([join(b2, "server"), "300"]);
  await using byArgument = start(["sh", "-c", "kill -STOP $$; true", "x", `--config=${b3}/web.toml`]);
  await using unrelated = start(["sleep", "301"]);
  for (const child of [byCwd, byExe, unrelated]) await running(child, "30");
  await running(byArgument, "STOP");

  expect(await pids(web.root)).toEqual([
    [byCwd.pid, "b1"],
    [byExe.pid, "b2"],
    [byArgument.pid, "b3"],
  ]);
});

test("a program that was started through the link counts for the release it ran from, also after a flip", async () => {
  await using web = await service();
  await copyFile("/bin/sleep", join(await web.release("b1"), "server"));
  await web.release("b2");
  const current = join(web.root, "current");
  await symlink("releases/b1", current);
  await using old = start([join(current, "server"), "300"]);
  await running(old, "server");
  await symlink("releases/b2", `${current}.new`);
  await rename(`${current}.new`, current);
  expect(await pids(web.root)).toEqual([[old.pid, "b1"]]);
});

test("a script that was named through the link is found, with its release unknown", async () => {
  await using web = await service();
  await using script = start(["sh", "-c", "kill -STOP $$; true", join(web.root, "current/server.js")]);
  await using other = start(["sh", "-c", "kill -STOP $$; true", join(web.root, "current-old/server.js")]);
  await running(script, "current");
  await running(other, "current");
  expect(await pids(web.root)).toEqual([[script.pid, null]]);
});

test("a process of a release that was removed is still one of that release", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  await copyFile("/bin/sleep", join(b1, "server"));
  await using byExe = start([join(b1, "server"), "300"], { cwd: "/" });
  await using byCwd = start(["sleep", "300"], { cwd: b1, env: { DEPLOYD_ROOT: `${web.root}/` } });
  await running(byExe, "server");
  await running(byCwd, "sleep");
  await rm(b1, { recursive: true });
  expect(await pids(web.root)).toEqual([
    [byExe.pid, "b1"],
    [byCwd.pid, "b1"],
  ]);
});

test("a directory whose name merely begins alike, or holds the path further inside, is not the service's", async () => {
  await using web = await service();
  await web.release("b1");
  const alike = `${web.root}-admin/releases/b1`;
  const inside = join(web.root, "backup", web.root, "releases/b1");
  for (const path of [alike, inside]) await mkdir(path, { recursive: true });
  await using one = start(["sleep", "300"], { cwd: alike });
  await using two = start(["sh", "-c", "kill -STOP $$; true", inside]);
  await using three = start(["sleep", "300"], { cwd: join(web.root, "releases") });
  for (const child of [one, three]) await running(child, "300");
  await running(two, "STOP");
  expect(await pids(web.root)).toEqual([]);
});

test("a service whose directory is reached through a link is found by the path as it is configured", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  const link = `${web.root}-link`;
  await symlink(web.root, link);
  await using byCwd = start(["sleep", "300"], { cwd: b1, env: { DEPLOYD_ROOT: `${web.root}/` } });
  await using byArgument = start(["sh", "-c", "kill -STOP $$; true", `${link}/releases/b1/x`]);
  await running(byCwd, "300");
  await running(byArgument, "STOP");
  expect(await pids(`${link}/`)).toEqual([
    [byCwd.pid, "b1"],
    [byArgument.pid, "b1"],
  ]);
});

test("who merely stands in a release is no service, and who runs a file of it is", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  await writeFile(join(b1, "server.sh"), "kill -STOP $$");
  await using stands = start(["sleep", "300"], { cwd: b1 });
  await using ofAnother = start(["sleep", "301"], { cwd: b1, env: { DEPLOYD_ROOT: "/srv/other" } });
  await using runs = start(["sh", "-e", "server.sh"], { cwd: b1 });
  for (const child of [stands, ofAnother]) await running(child, "30");
  await running(runs, "server.sh");
  expect(await pids(web.root)).toEqual([[runs.pid, "b1"]]);
  // What its supervisor names, and what comes from that, needs no other sign.
  expect((await processesOf(web.root, { mains: [stands.pid] })).map(({ pid }) => pid)).toEqual([stands.pid, runs.pid]);
});

test.if(process.getuid?.() === 0)(
  "what other users run is not looked into, unless the supervisor names it",
  async () => {
    await using web = await service();
    const b1 = await web.release("b1");
    await chmod(dirname(web.root), 0o755);
    await copyFile("/bin/sleep", join(b1, "server"));
    const asUser = (uid: number, ...argv: string[]) => ["setpriv", `--reuid=${uid}`, "--clear-groups", ...argv];
    await using own = start(asUser(2001, join(b1, "server"), "300"));
    await using byArgument = start(asUser(2002, "sh", "-c", "kill -STOP $$; true", `${b1}/x`));
    await using main = start(asUser(2003, "sh", "-c", `${b1}/server 301; true`));
    await running(own, "server 300");
    await running(byArgument, "STOP");
    await running(main, "server 301");
    const found = async (mains: readonly number[]): Promise<number[]> =>
      (await processesOf(web.root, { uid: 2001, mains })).map(({ pid }) => pid);
    await eventually(async () => (await found([main.pid])).length === 3);
    expect(await found([])).toEqual([own.pid]);
    expect((await found([main.pid])).slice(0, 2)).toEqual([own.pid, main.pid]);
  },
);

test("of megabytes of arguments the beginning is read", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  const slashes = "/".repeat(100_000);
  await using late = start([
    "sh",
    "-c",
    "kill -STOP $$; true",
    ...Array.from({ length: 15 }, () => slashes),
    `${b1}/x`,
  ]);
  await using early = start(["sh", "-c", "kill -STOP $$; true", `${b1}/x`, slashes]);
  await running(late, "STOP");
  await running(early, "STOP");
  expect(await pids(web.root)).toEqual([[early.pid, "b1"]]);
  expect((await processFact(late.pid))?.cmd.length).toBeLessThan(5000);
});

test("a running step is no process of the service, unless asked for", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  await using step = start(["sleep", "300"], { cwd: b1, env: { DEPLOYD_STEP: "install:web", DEPLOYD_ROOT: web.root } });
  await running(step, "300");
  expect(await pids(web.root)).toEqual([]);
  expect((await processesOf(web.root, { ignoreMarker: true })).map((fact) => fact.pid)).toEqual([step.pid]);
});

test("the time a process was started at is right to a few hundredths of a second", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  const before = Date.now();
  await using child = start(["sleep", "300"], { cwd: b1, env: { DEPLOYD_ROOT: web.root } });
  const after = Date.now();
  await running(child, "300");
  const [fact] = await processesOf(web.root);
  expect(fact?.startedAtMs).toBeGreaterThan(before - 50);
  expect(fact?.startedAtMs).toBeLessThan(after + 50);
  expect(fact).toMatchObject({ pid: child.pid, uid: process.getuid?.() ?? -1 });
  expect(await processFact(child.pid)).toEqual({
    startTicks: fact?.startTicks ?? -1,
    startedAtMs: expect.any(Number),
    uid: process.getuid?.() ?? -1,
    cmd: "sleep 300",
  });
});

test("a process that has ended has no facts, also as a zombie", async () => {
  const parent = Bun.spawn(["sh", "-c", "sleep 0 & echo $!; exec sleep 300"], { stdout: "pipe" });
  try {
    const { value } = await parent.stdout.getReader().read();
    const zombie = Number(new TextDecoder().decode(value));
    expect(zombie).toBeGreaterThan(1);
    await eventually(async () => (await processFact(zombie)) === null);
  } finally {
    parent.kill("SIGKILL");
    await parent.exited;
  }
  expect(await processFact(parent.pid)).toBeNull();
});

test("processes that come and go while it looks do no harm", async () => {
  await using web = await service();
  const b1 = await web.release("b1");
  await using stays = start(["sleep", "300"], { cwd: b1, env: { DEPLOYD_ROOT: web.root } });
  await using churn = start(["sh", "-c", "while :; do /bin/true & /bin/true & /bin/true; done"]);
  await running(stays, "300");
  await running(churn, "while");
  for (let round = 0; round < 20; round++) expect(await pids(web.root)).toEqual([[stays.pid, "b1"]]);
});
