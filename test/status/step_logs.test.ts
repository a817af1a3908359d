import { expect, test } from "bun:test";
import { statusApp } from "../../src/status/app.ts";
import { MOST_BYTES, type StepLogs } from "../../src/status/step_logs.ts";
import { metricsOf, viewOf } from "./agent_status.ts";

function port(files: Readonly<Record<string, string>>) {
  const logs: StepLogs = {
    names: async (service, build) => (service === "web" && build === "b1" ? Object.keys(files) : []),
    read: async (_service, _build, name) => files[name] ?? null,
  };
  const app = statusApp(viewOf, metricsOf(), logs);
  return async (path: string, host = "10.0.0.1:9876") => {
    const response = await app.request(path, { headers: { host } });
    return { status: response.status, text: await response.text(), from: response.headers.get("deployd-host") };
  };
}

test("a step's log is its last lines, from the host that says so", async () => {
  const ask = port({ restart: "1\n2\n3\n", install: "x\n" });
  expect(await ask("/logs/web/b1/restart?lines=2")).toEqual({ status: 200, text: "2\n3\n", from: "web-1" });
});

test("several instances are told apart, and a step is no other that begins alike", async () => {
  const ask = port({ "restart-2": "b\n", "restart-1": "a\n", restarted: "no\n" });
  expect((await ask("/logs/web/b1/restart")).text).toBe("==> restart-1 <==\na\n\n==> restart-2 <==\nb\n");
});

test("however long logs are, the answer has at most 64 kB and ends as they do", async () => {
  const long = `${"ä".repeat(200_000)}\nend\n`;
  const one = await port({ restart: long })("/logs/web/b1/restart?lines=10000");
  expect(Buffer.byteLength(one.text)).toBeLessThanOrEqual(MOST_BYTES);
  expect(one.text).toEndWith("ä\nend\n");
  expect(one.text).not.toContain("\ufffd");
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`restart-${at}`, long]));
  expect(Buffer.byteLength((await port(many)("/logs/web/b1/restart")).text)).toBeLessThanOrEqual(MOST_BYTES);
});

test("a log that cannot be read is told with why", async () => {
  const logs: StepLogs = {
    names: async () => ["restart"],
    read: () => Promise.reject(new Error("Cannot read restart.log: it has 20000000 bytes.")),
  };
  const app = statusApp(viewOf, metricsOf(), logs);
  const response = await app.request("/logs/web/b1/restart", { headers: { host: "10.0.0.1" } });
  expect({ status: response.status, text: await response.text() }).toEqual({
    status: 500,
    text: "Cannot read restart.log: it has 20000000 bytes.\n",
  });
  expect(response.headers.get("deployd-host")).toBe("web-1");
});

test("secrets are hidden", async () => {
  const { text } = await port({ restart: "connecting with password=hunter2\n" })("/logs/web/b1/restart");
  expect(text).toContain("password=");
  expect(text).not.toContain("hunter2");
});

test.each([
  ["another service", "/logs/api/b1/restart"],
  ["another build", "/logs/web/b2/restart"],
  ["another step", "/logs/web/b1/check"],
  ["a way out", "/logs/web/b1/..%2f..%2fstate"],
])("%s has no log here", async (_what, path) => {
  const { status, text } = await port({ restart: "secret\n" })(path);
  expect(status).toBe(404);
  expect(text).not.toContain("secret");
});

test.each(["0", "-1", "ten", "10001", "1.5", ""])("%s is no number of lines", async (lines) => {
  expect((await port({ restart: "1\n" })(`/logs/web/b1/restart?lines=${lines}`)).status).toBe(400);
});

test.each([
  ["127.0.0.1:9876", 200],
  ["[::1]:9876", 200],
  ["localhost", 200],
  ["web-1:9876", 200],
  ["evil.example:9876", 403],
  ["", 403],
])("a browser that was led here under the name %s gets %d", async (host, status) => {
  expect((await port({ restart: "1\n" })("/logs/web/b1/restart", host)).status).toBe(status);
});
