import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import { bootMachine, type BootedMachine } from "../harness/booted_machine.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { startConnects } from "./connects.ts";
import type { Deed, Done } from "./in_machine.ts";

/* What is said to systemd, under a real one: units of templates, and two copies that take turns on a socket. */

const PORT = 8080;
const LONG_MS = 60_000;

/** As the documentation has them. */
const SOCKET = `[Socket]
ListenStream=${PORT}
Service=web@blue.service

[Install]
WantedBy=sockets.target
`;
const COPY = `[Unit]
StartLimitIntervalSec=0

[Service]
Type=notify
Sockets=web.socket
ExecStart=/usr/bin/python3 /srv/web/fd_server.py %i
Restart=always
RestartSec=1
`;

const TEMPLATE = `[Service]
ExecStart=/bin/sh -c 'test ! -e /srv/job/broken && exec sleep 300'
Restart=always
`;

describe("under systemd", () => {
  let machine: BootedMachine;
  let bun = "";

  beforeAll(async () => {
    machine = await bootMachine();
    bun = "/opt/bun";
    await mkdir(machine.outside("/opt"), { recursive: true });
    await copyFile(process.execPath, machine.outside(bun));
    const built = await Bun.build({ entrypoints: [join(import.meta.dir, "in_machine.ts")], target: "bun" });
    await machine.write("/opt/supervise.js", (await built.outputs[0]?.text()) ?? "");
    await mkdir(machine.outside("/srv/web"), { recursive: true });
    await copyFile(join(import.meta.dir, "fd_server.py"), machine.outside("/srv/web/fd_server.py"));
    await mkdir(machine.outside("/srv/job"), { recursive: true });
    await machine.write("/etc/systemd/system/job@.service", TEMPLATE);
  }, LONG_MS);

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
  }, LONG_MS);

  const deed = async (spec: RestartSpec, ...deeds: Deed[]): Promise<Done> => {
    const { code, output } = await machine.run(bun, "/opt/supervise.js", JSON.stringify(spec), ...deeds);
    if (code !== 0) throw new Error(`exited with ${code}: ${output}`);
    return JSON.parse(output) as Done;
  };
  const ok = async (spec: RestartSpec, ...deeds: Deed[]): Promise<Done["done"]> => {
    const { done, failed } = await deed(spec, ...deeds);
    if (failed !== null) throw new Error(`${failed.message} (${failed.hint})`);
    return done;
  };
  const systemctl = async (...words: string[]): Promise<string> =>
    (await machine.run("systemctl", ...words)).output.trim();
  const shown = (unit: string, property: string) => systemctl("show", "--value", `--property=${property}`, unit);

  describe("a unit of a template", () => {
    const spec = { by: "systemd", unit: "job@1.service", action: "restart", timeoutMs: 20_000 } as const;

    beforeEach(async () => {
      await rm(machine.outside("/srv/job/broken"), { force: true });
      await systemctl("daemon-reload");
    });

    test(
      "is started, restarted and stopped, and another one of the template is left alone",
      async () => {
        await ok({ ...spec, unit: "job@2.service" }, "start");
        const other = await shown("job@2", "MainPID");
        const [, first, , second, , none] = await ok(
          spec,
          "start",
          "mainPids",
          "restart",
          "mainPids",
          "stop",
          "mainPids",
        );
        expect(first?.pids).toHaveLength(1);
        expect(second?.pids).toHaveLength(1);
        expect(second?.pids).not.toEqual(first?.pids ?? []);
        expect(none?.pids).toEqual([]);
        expect(await shown("job@2", "MainPID")).toBe(other);
      },
      LONG_MS,
    );

    test(
      "has no main process between two automatic restarts, can be stopped there, and its failures do not keep a mended " +
        "one from being started",
      async () => {
        await writeFile(machine.outside("/srv/job/broken"), "");
        await machine.write("/etc/systemd/system/job@.service.d/slow.conf", "[Service]\nRestartSec=60\n");
        await systemctl("daemon-reload");
        await ok(spec, "start");
        await eventually(async () => (await shown("job@1", "SubState")) === "auto-restart");
        expect(await ok(spec, "mainPids")).toEqual([{ deed: "mainPids", pids: [] }]);
        await ok(spec, "stop");
        expect(await shown("job@1", "ActiveState")).toBe("inactive");

        await rm(machine.outside("/etc/systemd/system/job@.service.d"), { recursive: true });
        await systemctl("daemon-reload");
        await ok(spec, "start");
        await eventually(async () => (await shown("job@1", "ActiveState")) === "failed");
        await rm(machine.outside("/srv/job/broken"));
        // systemd itself would refuse it now: it has been started too often.
        expect((await machine.run("systemctl", "restart", "job@1")).code).toBe(1);
        const [, running] = await ok(spec, "restart", "mainPids");
        expect(running?.pids).toHaveLength(1);
      },
      LONG_MS,
    );
  });

  test(
    "a unit that a boot leaves down is known, but for one that is masked or about to be started",
    async () => {
      const spec = { by: "systemd", unit: "left.service", action: "reload", timeoutMs: 20_000 } as const;
      await machine.write("/etc/systemd/system/left.service", "[Service]\nExecStart=/usr/bin/sleep 300\n");
      await machine.write(
        "/etc/systemd/system/waits.service",
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'until [ -e /srv/go ]; do sleep 0.05; done'\n",
      );
      await machine.write(
        "/etc/systemd/system/left.service.d/after.conf",
        "[Unit]\nWants=waits.service\nAfter=waits.service\n",
      );
      await systemctl("daemon-reload");
      const isStopped = async (): Promise<unknown> => (await ok(spec, "isStopped"))[0]?.is;
      expect(await isStopped()).toBe(true);
      await systemctl("start", "--no-block", "left.service");
      await eventually(async () => (await shown("left", "Job")) !== "");
      expect([await shown("left", "ActiveState"), await isStopped()]).toEqual(["inactive", false]);
      await writeFile(machine.outside("/srv/go"), "");
      await eventually(async () => (await shown("left", "ActiveState")) === "active");
      await systemctl("stop", "left.service");
      // Whose restart is a reload is started all the same.
      await ok(spec, "revive");
      expect([await shown("left", "ActiveState"), await isStopped()]).toEqual(["active", false]);
      await systemctl("stop", "left.service");
      await rm(machine.outside("/etc/systemd/system/left.service"));
      await systemctl("mask", "left.service");
      await systemctl("daemon-reload");
      expect([await shown("left", "LoadState"), await isStopped()]).toEqual(["masked", false]);
    },
    LONG_MS,
  );

  describe("two copies on a socket", () => {
    const spec = { by: "systemd-socket", socket: "web.socket", unit: "web@.service", timeoutMs: 20_000 } as const;

    const release = async (name: string, manners = "ok"): Promise<void> => {
      await machine.write(`/srv/web/releases/${name}/manners`, manners);
      const current = machine.outside("/srv/web/current");
      await rm(`${current}.new`, { force: true });
      await symlink(`releases/${name}`, `${current}.new`);
      await rename(`${current}.new`, current);
    };
    const ask = async (): Promise<string> =>
      (await machine.run("curl", "-sS", "--max-time", "5", `http://127.0.0.1:${PORT}/`)).output;
    const states = async (): Promise<string[]> =>
      Promise.all(["web@blue", "web@green"].map((unit) => shown(unit, "ActiveState")));
    const main = async (colour: string): Promise<number> => Number(await shown(`web@${colour}`, "MainPID"));

    beforeEach(async () => {
      await machine.write("/etc/systemd/system/web.socket", SOCKET);
      await machine.write("/etc/systemd/system/web@.service", COPY);
      await systemctl("daemon-reload");
      await systemctl("stop", "web.socket");
      await systemctl("stop", "web@blue", "web@green");
      await systemctl("reset-failed");
      await release("one");
    }, LONG_MS);

    test(
      "with nobody there the socket and the first copy are started, and from then on they take turns",
      async () => {
        const [, mains, old] = await ok(spec, "restart", "mainPids", "oldPids");
        expect(await ask()).toBe("blue one");
        expect(mains?.pids).toEqual([await main("blue")]);
        expect(old?.pids).toEqual([]);
        await release("two");
        await ok(spec, "restart");
        expect(await ask()).toBe("green two");
        expect(await states()).toEqual(["inactive", "active"]);
        await release("three");
        await ok(spec, "restart");
        expect(await ask()).toBe("blue three");
        // Neither the stop nor a client has brought the other one back.
        expect(await states()).toEqual(["active", "inactive"]);
      },
      LONG_MS,
    );

    test(
      "no client is refused or cut off while they change over",
      async () => {
        await using dir = await tempDir();
        await ok(spec, "restart");
        const load = await startConnects(dir.path, PORT, (argv) => machine.runBeside(argv));
        await release("two");
        const [, old, mains] = await ok(spec, "begin", "oldPids", "mainPids", "finish");
        await release("three");
        await ok(spec, "restart");
        const seen = await load.stop();
        expect(seen).toMatchObject({ refused: 0, broken: 0 });
        expect(seen.answered).toBeGreaterThan(10);
        expect(old?.pids).toHaveLength(1);
        expect(mains?.pids).toHaveLength(2);
        expect(mains?.pids).toContain(old?.pids?.[0] ?? 0);
        expect(await ask()).toBe("blue three");
      },
      LONG_MS,
    );

    test.each([
      ["does not start", "broken", "restart-failed"],
      ["ends soon after its start", "brief", "restart-failed"],
      ["is never ready", "mute", "restart-timeout"],
    ])(
      "a successor that %s is taken back, and the old one serves on",
      async (_what, manners, code) => {
        await using dir = await tempDir();
        await ok(spec, "restart");
        const old = await main("blue");
        const load = await startConnects(dir.path, PORT, (argv) => machine.runBeside(argv));
        await release("two", manners);
        const { failed } = await deed({ ...spec, timeoutMs: 3_000 }, "restart");
        expect(failed).toMatchObject({ code, hint: expect.stringContaining("journalctl -u web@green.service") });
        const seen = await load.stop();
        // What the successor had accepted when it ended is lost with it.
        expect(seen).toMatchObject({ refused: 0, ...(manners === "brief" ? {} : { broken: 0 }) });
        expect(await main("blue")).toBe(old);
        expect(["inactive", "failed"]).toContain(await shown("web@green", "ActiveState"));
        expect(await shown("web.socket", "ActiveState")).toBe("active");
        await release("three");
        await ok(spec, "restart");
        expect(await ask()).toBe("green three");
      },
      LONG_MS,
    );

    test(
      "a successor that is not healthy is stopped, and the old one serves on",
      async () => {
        await ok(spec, "restart");
        const old = await main("blue");
        await release("two");
        await ok(spec, "begin", "abandon");
        expect(await states()).toEqual(["active", "inactive"]);
        expect(await main("blue")).toBe(old);
        expect(await ask()).toBe("blue one");
      },
      LONG_MS,
    );

    test(
      "of two that an interrupted handover left, the older is kept and the younger started anew",
      async () => {
        await ok(spec, "restart");
        await release("two");
        await ok(spec, "restart");
        const old = await main("green");
        await ok(spec, "begin");
        const left = await main("blue");
        expect(await states()).toEqual(["active", "active"]);
        await release("three");
        const [, pids] = await ok(spec, "begin", "oldPids");
        expect(pids?.pids).toEqual([old]);
        expect(await main("blue")).not.toBe(left);
        await ok(spec, "restart");
        expect(await states()).toEqual(["active", "inactive"]);
        expect(await ask()).toBe("blue three");
      },
      LONG_MS,
    );

    test(
      "an old one that does not end at TERM is killed when its time is over",
      async () => {
        await release("one", "deaf");
        await ok(spec, "restart");
        await release("two");
        await ok({ ...spec, timeoutMs: 2_000 }, "restart");
        expect(await ask()).toBe("green two");
        expect(await shown("web@blue", "MainPID")).toBe("0");
      },
      LONG_MS,
    );

    test(
      "after a boot the first client starts one copy, of what is current",
      async () => {
        await ok(spec, "restart");
        await release("two");
        await ok(spec, "restart");
        await release("three");
        await systemctl("enable", "web.socket");
        await systemctl("stop", "web.socket");
        await systemctl("stop", "web@blue", "web@green");
        expect((await ok(spec, "isStopped"))[0]?.is).toBe(true);
        // What a boot does with it.
        await systemctl("start", "sockets.target");
        await systemctl("start", "web.socket");
        expect(await states()).toEqual(["inactive", "inactive"]);
        expect((await ok(spec, "isStopped"))[0]?.is).toBe(false);
        expect(await ask()).toBe("blue three");
        expect(await states()).toEqual(["active", "inactive"]);
        await systemctl("disable", "web.socket");
        // Where nobody does it.
        await systemctl("stop", "web.socket");
        await systemctl("stop", "web@blue", "web@green");
        await ok(spec, "revive");
        expect(await ask()).toBe("blue three");
      },
      LONG_MS,
    );

    test(
      "a copy that crashes is started again by systemd, and not the other one by a client",
      async () => {
        await ok(spec, "restart");
        await release("two");
        await ok(spec, "restart");
        await systemctl("kill", "--signal=SIGKILL", "web@green");
        expect(await ask()).toBe("green two");
        expect(await states()).toEqual(["inactive", "active"]);
      },
      LONG_MS,
    );

    test(
      "a build that crashes with nobody beside it does not take the socket along, so that the next one serves",
      async () => {
        await release("one", "broken");
        expect((await deed(spec, "restart")).failed).toMatchObject({ code: "restart-failed" });
        await release("two");
        await ok(spec, "restart");
        expect(await ask()).toEndWith(" two");
      },
      LONG_MS,
    );

    test(
      "units that cannot work are named with what to write",
      async () => {
        await machine.write("/etc/systemd/system/web@.service", COPY.replace("Sockets=web.socket\n", ""));
        await systemctl("daemon-reload");
        expect((await deed(spec, "restart")).failed).toMatchObject({
          code: "restart-failed",
          message: "Cannot hand web.socket to web@green.service: that does not take it.",
          hint: "Write Sockets=web.socket into [Service] of web@.service, then: systemctl daemon-reload.",
        });
        await machine.write("/etc/systemd/system/web@.service", COPY);
        await systemctl("daemon-reload");
        await ok(spec, "restart");
        await systemctl("stop", "web.socket");
        const { failed } = await deed(spec, "restart");
        expect(failed).toMatchObject({
          code: "restart-failed",
          hint: expect.stringContaining("systemctl start web.socket"),
        });
        expect(failed?.message).toContain("web.socket is inactive, so there is no socket to share");
        expect(await states()).toEqual(["active", "inactive"]);
      },
      LONG_MS,
    );
  });
});
