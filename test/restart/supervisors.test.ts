import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { answers } from "./supervised.ts";
import { supervisors } from "./supervisors.ts";

const { signal } = new AbortController();
const LONG_MS = 60_000;

// They wait most of the time, and each has a supervisor of its own.
describe.each(supervisors.map((each) => [each.name, each] as const))("%s", (_, supervisor) => {
  test.concurrent(
    "a restart brings another process, which serves what is new",
    async () => {
      await using web = await supervisor.begin();
      const before = await mainPids(web.spec(), web.effects, signal);
      expect(before).toHaveLength(1);
      await web.writeAnswer("second");
      await restart(web.spec(), web.effects, signal);
      await answers(web, "second");
      const after = await mainPids(web.spec(), web.effects, signal);
      expect(after).toHaveLength(1);
      expect(after).not.toEqual(before);
    },
    LONG_MS,
  );

  test.concurrent(
    "a stopped service is down until it is started, and a restart starts it too",
    async () => {
      await using web = await supervisor.begin();
      const { parts } = supervisorFor(web.spec(), web.effects);
      await parts?.stop(signal);
      expect(await mainPids(web.spec(), web.effects, signal)).toEqual([]);
      expect(await web.ask()).toStartWith("no answer");
      await parts?.stop(signal);
      await parts?.start(signal);
      await answers(web, "first");
      await parts?.start(signal);
      await parts?.stop(signal);
      await restart(web.spec(), web.effects, signal);
      await answers(web, "first");
    },
    LONG_MS,
  );

  test.concurrent(
    "what a boot leaves down is known, and started; what runs is not",
    async () => {
      await using web = await supervisor.begin();
      const { parts, revival } = supervisorFor(web.spec(), web.effects);
      expect(await revival?.isNeeded(signal)).toBe(false);
      await parts?.stop(signal);
      expect(await revival?.isNeeded(signal)).toBe(true);
      await revival?.start(signal);
      await answers(web, "first");
      expect(await revival?.isNeeded(signal)).toBe(false);
    },
    LONG_MS,
  );

  test.concurrent(
    "a service that ends as soon as it is started is a failed restart",
    async () => {
      await using web = await supervisor.begin();
      await web.writeRun("exit 3");
      const spec = web.spec(5_000);
      expect(await rejection(restart(spec, web.effects, signal))).toMatchObject({
        code: "restart-failed",
        message: expect.stringContaining(`Cannot restart ${"service" in spec ? spec.service : "web"}: `),
        hint: expect.stringContaining(supervisor.looksAt(web)),
      });
    },
    LONG_MS,
  );

  test.concurrent("a host without it is told which package has it", async () => {
    await using dir = await tempDir();
    const effects = { ...hostEffects(dir.path, "/nowhere"), supervisordConfig: join(dir.path, "supervisord.conf") };
    expect(await rejection(restart(supervisor.spec, effects, signal))).toMatchObject({
      code: "restart-failed",
      message: expect.stringContaining(`Cannot run "${supervisor.program}": no such program`),
      hint: expect.stringContaining(`apt-get install ${supervisor.debianPackage}`),
    });
  });
});

/** By pid files in a directory: what nobody watches, and what will not end, are told in the supervisor's words. */
describe.each(supervisors.filter(({ name }) => name !== "supervisord").map((each) => [each.name, each] as const))(
  "%s, by a directory",
  (_, supervisor) => {
    test.concurrent("what nobody watches is not known to be down", async () => {
      await using web = await supervisor.begin();
      const unwatched = supervisorFor(
        { ...supervisor.spec, service: join(web.directory, "unwatched") } as typeof supervisor.spec,
        web.effects,
      );
      const asked = unwatched.revival?.isNeeded(signal) ?? Promise.resolve();
      expect((await rejection(asked)).message).toContain("unwatched");
    });

    test.concurrent(
      "a service that ignores TERM is a time-out",
      async () => {
        await using web = await supervisor.begin();
        await web.writeRun("trap '' TERM; echo > ready; while :; do sleep 0.05; done");
        await restart(web.spec(), web.effects, signal);
        await web.untilWritten("ready");
        const error = await rejection(restart(web.spec(1_000), web.effects, signal));
        expect(error).toMatchObject({ code: "restart-timeout" });
        if (supervisor.name !== "runit") return;
        // sv's own words, or ours where sv was wrong.
        expect(error.message).toMatch(/timeout: run: |after 1000 ms process \d+ still ran/);
      },
      LONG_MS,
    );
  },
);
