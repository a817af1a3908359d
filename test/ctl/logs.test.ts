import { afterAll, beforeAll, expect, test } from "bun:test";
import { isLoopback, urlOfLog } from "../../src/ctl/host_logs.ts";
import { statusApp } from "../../src/status/app.ts";
import type { StepLogs } from "../../src/status/step_logs.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { metricsOf, viewOf } from "../status/agent_status.ts";
import { Yard } from "./yard.ts";

let server: SharedZooKeeper;
beforeAll(async () => {
  server = await sharedZooKeeper();
});
afterAll(async () => {
  await server.stop();
});

const kept: StepLogs = {
  names: async (service, build) =>
    service !== "web" ? [] : build === "b1" ? ["restart", "install"] : build === "b2" ? ["restart"] : [],
  read: async (_service, build, name) => (build === "b2" ? "" : `${name} 1\n${name} 2\n\u001b[31mred\u001b[0m\n`),
};

/** The status port of an agent of this name. */
function port(host: string) {
  const view = viewOf({ host });
  const app = statusApp(
    () => view,
    metricsOf(() => view),
    kept,
  );
  const listening = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
  return {
    address: `127.0.0.1:${listening.port}`,
    [Symbol.asyncDispose]: async () => listening.stop(true),
  };
}

/** A host whose deploy of b1 has failed in its check. */
async function failed(statusAddress?: string): Promise<Yard> {
  const yard = new Yard(server.connectString);
  await yard.done("services", "set", "web");
  await yard.build("web", "b1");
  await yard.host("web", "web-01", statusAddress === undefined ? {} : { statusAddress });
  await yard.done("deploy", "web", "b1", "--detach");
  await yard.fails("web", "web-01", "its check failed");
  return yard;
}

test("the host is asked at its status port, and its answer is shown as it keeps it", async () => {
  await using agent = port("web-01");
  await using yard = await failed(agent.address);
  const run = await yard.ctl(["logs", "web", "web-01", "--step", "restart", "--lines", "2"]);
  expect(run).toEqual({ code: 0, stdout: "restart 2\nred\n", stderr: "" });
  const { stdout } = await yard.ctl(["logs", "web", "web-01", "--step", "install", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    schema: "deployd.ctl.logs/1",
    build: "b1",
    step: "install",
    source: "host",
    text: "install 1\ninstall 2\n\u001b[31mred\u001b[0m\n",
    command: null,
  });
});

test("a step that has printed nothing is told with what the host has, and what ZooKeeper knows is shown", async () => {
  await using agent = port("web-01");
  await using yard = await failed(agent.address);
  const { code, stdout, stderr } = await yard.ctl(["logs", "web", "web-01", "--step", "check"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "boom\nbang\n" });
  expect(stderr).toContain(
    "web-01 has no log of check of b1. There is no such log here; there are those of restart, install.",
  );
  expect(stderr).toContain("check of b1 failed: its check failed");
  expect(stderr).not.toContain("ssh");
});

test("where no step is named, a check that has printed nothing gives way to what the service has printed", async () => {
  await using agent = port("web-01");
  await using yard = await failed(agent.address);
  const { stdout } = await yard.ctl(["logs", "web", "web-01", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ step: "restart", source: "host", error: { step: "check" } });
});

test("an empty log is said to be empty", async () => {
  await using agent = port("web-01");
  await using yard = await failed(agent.address);
  expect(await yard.ctl(["logs", "web", "web-01", "--build", "b2"])).toEqual({
    code: 0,
    stdout: "",
    stderr: "! web-01 has a log of restart of b2, which is empty.\n",
  });
});

test("an agent of another host at that address is not believed", async () => {
  await using agent = port("web-02");
  await using yard = await failed(agent.address);
  const { code, stdout, stderr } = await yard.ctl(["logs", "web", "web-01"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "boom\nbang\n" });
  expect(stderr).toContain("cannot be asked from here: web-02 answers there");
  // The port is on loopback there, so that it can be asked there.
  expect(stderr).toContain(`All of it: ssh web-01 curl -s 'http://${agent.address}/logs/web/b1/check?lines=100'`);
});

test("where nothing answers, the end that ZooKeeper has is shown, and the file on the host", async () => {
  // TEST-NET-1: a route that leads nowhere, or a refusal, within the time that a host has to answer.
  await using yard = await failed("192.0.2.1:9876");
  const { code, stdout, stderr } = await yard.ctl(["logs", "web", "web-01", "--lines", "7"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "boom\nbang\n" });
  expect(stderr).toContain("All of it: ssh web-01 tail -n 7 /srv/deployd/web/log/b1/check.log");
  const other = await yard.ctl(["logs", "web", "web-01", "--step", "install"]);
  expect(other).toMatchObject({ code: 0, stdout: "" });
  expect(other.stderr).toContain("ZooKeeper has no output of it.");
});

test("a host whose agent is away, and that has said nothing, is 1 with the command for the host", async () => {
  await using yard = await failed();
  const { code, stdout, stderr } = await yard.ctl(["logs", "web", "web-01", "--build", "b0"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("ssh web-01 tail -n 100 /srv/deployd/web/log/b0/restart.log");
});

test("a host that is not there is wrong usage, with the nearest", async () => {
  await using yard = await failed();
  expect(await yard.ctl(["logs", "web", "web-02"])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('"web-01"'),
  });
});

test.each(["10.0.0.1; rm -rf /:80", "127.0.0.1'$(id)':80", "http://evil/:1", "10.0.0.1", "", "[::1]@evil:80"])(
  "an address that is none is not asked, nor put into a command: %p",
  async (address) => {
    await using yard = await failed(address);
    const { code, stderr } = await yard.ctl(["logs", "web", "web-01"]);
    expect(code).toBe(0);
    expect(stderr).toContain("its agent says no address that can be read");
    expect(stderr).toContain("All of it: ssh web-01 tail -n 100 /srv/deployd/web/log/b1/check.log\n");
  },
);

const question = { host: "web-01", service: "web", build: "b1", step: "restart", lines: 9 };

test.each([
  ["127.0.0.1:9876", "http://127.0.0.1:9876/logs/web/b1/restart?lines=9", true],
  ["[::1]:9876", "http://[::1]:9876/logs/web/b1/restart?lines=9", true],
  ["10.0.0.13:80", "http://10.0.0.13:80/logs/web/b1/restart?lines=9", false],
  ["0.0.0.0:9876", "http://web-01:9876/logs/web/b1/restart?lines=9", false],
  ["[::]:9876", "http://web-01:9876/logs/web/b1/restart?lines=9", false],
])("an agent at %s is asked at %s", (address, url, onLoopback) => {
  expect({ url: urlOfLog(address, question), onLoopback: isLoopback(address) }).toEqual({ url, onLoopback });
});
