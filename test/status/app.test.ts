import { expect, test } from "bun:test";
import { statusApp } from "../../src/status/app.ts";
import type { AgentStatus } from "../../src/status/agent_status.ts";
import { metricsOf, viewOf } from "./agent_status.ts";

function app(view: AgentStatus = viewOf()) {
  const metrics = metricsOf(() => view);
  const ask = async (path: string, accept?: string) =>
    statusApp(() => view, metrics).request(path, accept === undefined ? {} : { headers: { accept } });
  return { ask };
}

test.each([
  ["nothing in particular", undefined, "application/json"],
  ["anything, as curl does", "*/*", "application/json"],
  ["JSON", "application/json", "application/json"],
  ["what a browser asks for", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"],
  ["plain text", "text/plain", "text/plain"],
  [
    "what Prometheus asks for",
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    "text/plain",
  ],
  ["JSON a little and text more", "application/json;q=0.5,text/plain", "text/plain"],
])("who asks for %s gets it", async (_what, accept, type) => {
  const response = await app().ask("/status", accept);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain(type);
  expect(response.headers.get("vary")).toBe("Accept");
});

test("the status in JSON is the view, with the name of its form", async () => {
  const view = viewOf();
  const response = await app(view).ask("/status?format=json", "text/plain");
  expect(await response.json()).toEqual({ schema: "deployd.status/1", ...view });
});

test.each([
  ["evil.example", "application/json", 403],
  ["evil.example", "text/html", 403],
  ["evil.example", "text/plain", 200],
  ["10.0.0.7:9876", "application/json", 200],
])("a status that is asked for as %s in %s is answered with %i", async (host, accept, code) => {
  const metrics = metricsOf(() => viewOf());
  const answer = await statusApp(() => viewOf(), metrics).request(`http://${host}/status`, { headers: { accept } });
  expect(answer.status).toBe(code);
});

test("an unknown form is refused with the known ones", async () => {
  const response = await app().ask("/status?format=xml");
  expect(response.status).toBe(400);
  expect(await response.text()).toContain("json, prometheus and html");
});

test("the agent is ready when it has read every wish and has its name", async () => {
  expect((await app().ask("/readyz")).status).toBe(200);
  const [service] = viewOf().services;
  if (service === undefined) throw new Error("there is no service");
  const unread = await app(viewOf({ services: [{ ...service, readAtMs: 0 }] })).ask("/readyz");
  expect(unread.status).toBe(503);
  expect(await unread.text()).toContain("web");
  const ousted = await app(viewOf({ problem: "somebody else is web-1" })).ask("/readyz");
  expect(await ousted.text()).toContain("somebody else is web-1");
});

test("it is alive while it answers, and says what there is", async () => {
  expect((await app().ask("/livez")).status).toBe(200);
  const missing = await app().ask("/nothing");
  expect(missing.status).toBe(404);
  expect(await missing.text()).toContain("/status");
});
