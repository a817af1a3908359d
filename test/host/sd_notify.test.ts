import { expect, test } from "bun:test";
import { join } from "node:path";
import type { DeployError } from "../../src/core/errors.ts";
import { serviceManager } from "../../src/host/sd_notify.ts";
import { tempDir } from "../harness/tempdir.ts";

/** A real datagram socket, as systemd's is; prints each message as one line of JSON. */
async function receiver(address: string): Promise<{ next: () => Promise<string> } & AsyncDisposable> {
  const python = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
a = sys.argv[1]
s.bind("\\0" + a[1:] if a[0] == "@" else a)
print("null", flush=True)
while True: print(json.dumps(s.recv(65536).decode()), flush=True)`;
  const child = Bun.spawn(["python3", "-c", python, address], { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  let pending = "";
  const next = async (): Promise<string> => {
    while (!pending.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the receiver has ended");
      pending += new TextDecoder().decode(value);
    }
    const line = pending.slice(0, pending.indexOf("\n"));
    pending = pending.slice(line.length + 1);
    return JSON.parse(line);
  };
  await next();
  return {
    next,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test.each(["path", "abstract"])(
  "the service manager hears every message, at a socket with an address of kind: %s",
  async (kind) => {
    await using dir = await tempDir();
    const address = kind === "path" ? join(dir.path, "notify") : `@deployd-test-${process.pid}-${Date.now()}`;
    await using systemd = await receiver(address);
    const manager = serviceManager({ NOTIFY_SOCKET: address }, (error) => {
      throw error;
    });
    manager.ready();
    manager.status("serving 9b1e0d4\nMAINPID=1");
    manager.watchdog();
    manager.stopping();
    expect([await systemd.next(), await systemd.next(), await systemd.next(), await systemd.next()]).toEqual([
      "READY=1",
      "STATUS=serving 9b1e0d4 MAINPID=1",
      "WATCHDOG=1",
      "STOPPING=1",
    ]);
  },
);

test("the variables are taken out of the environment, so that nothing started later has them", () => {
  const env = { NOTIFY_SOCKET: "/run/n", WATCHDOG_USEC: "10000000", WATCHDOG_PID: String(process.pid), HOME: "/" };
  expect(serviceManager(env).watchdogMs).toBe(10_000);
  expect(Object.keys(env)).toEqual(["HOME"]);
});

test("a watchdog that is meant for another process is none of ours", () => {
  expect(serviceManager({ WATCHDOG_USEC: "10000000", WATCHDOG_PID: "1" }).watchdogMs).toBeNull();
  expect(serviceManager({ WATCHDOG_USEC: "10000000" }).watchdogMs).toBe(10_000);
  expect(serviceManager({}).watchdogMs).toBeNull();
});

test("without a service manager nothing happens", () => {
  const errors: DeployError[] = [];
  const manager = serviceManager({}, (error) => errors.push(error));
  manager.ready();
  manager.watchdog();
  expect(errors).toEqual([]);
});

test("a service manager that does not listen is reported and stops nothing", async () => {
  await using dir = await tempDir();
  const errors: DeployError[] = [];
  for (const address of [join(dir.path, "nobody"), "relative", `/${"x".repeat(200)}`]) {
    serviceManager({ NOTIFY_SOCKET: address }, (error) => errors.push(error)).ready();
  }
  expect(errors.map((error) => error.message)).toEqual([
    `Cannot tell the service manager "READY=1" at ${dir.path}/nobody: errno 2.`,
    'Cannot use NOTIFY_SOCKET "relative": neither a path nor @name of under 108 bytes.',
    expect.stringContaining("neither a path nor @name"),
  ]);
});
