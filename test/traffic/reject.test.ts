import { expect, setDefaultTimeout, test } from "bun:test";
import { rejectTableName } from "../../src/traffic/reject.ts";
import { trafficFor } from "../../src/traffic/traffic.ts";
import { eventually } from "../harness/eventually.ts";
import { join, JOINED, networkNamespace } from "../harness/netns.ts";
import { answers, keepConnection, portsInside, serveLines } from "./inside.ts";
import { allRules, moveIn, othersRules } from "./neighbours.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();
const instances = [8001, 8002].map((port, index) => ({ name: String(index + 1), port }));
const spec = { by: "reject" } as const;

test("other hosts are refused at once and counted, this one is not, and open connections live on", async () => {
  await using host = await networkNamespace();
  await using other = await networkNamespace();
  await join(host, other);
  await using _ = await serveLines(host, [8001, 8002]);
  const traffic = trafficFor(spec, "web", instances, portsInside(host), 10_000);
  expect(await traffic.refused(signal)).toBe(0);
  await traffic.steer(["1", "2"], signal);
  const open = await keepConnection(other, JOINED.ipv4[0], 8002);
  expect(await open.ask()).toBe("8002");

  await traffic.steer(["1"], signal);
  for (const address of [JOINED.ipv4[0], JOINED.ipv6[0]]) {
    expect(await answers(other, address, 8002, 2)).toEqual({ ECONNREFUSED: 2 });
    expect(await answers(other, address, 8001, 1)).toEqual({ 8001: 1 });
    // Also by its own address, which is how a check may be written.
    expect(await answers(host, address, 8002, 1)).toEqual({ 8002: 1 });
  }
  expect(await answers(host, "127.0.0.1", 8002, 1)).toEqual({ 8002: 1 });
  expect(await open.ask()).toBe("8002");
  expect(await traffic.refused(signal)).toBe(4);
  // Those of this test's own checks may take a moment to close.
  await eventually(async () => (await traffic.busy("2", signal)) === 1);

  await traffic.steer([], signal);
  expect(await answers(other, JOINED.ipv4[0], 8001, 1)).toEqual({ ECONNREFUSED: 1 });
  await traffic.steer(["1", "2"], signal);
  expect(await answers(other, JOINED.ipv4[0], 8002, 1)).toEqual({ 8002: 1 });
  // What was counted is not forgotten with the rule.
  expect(await traffic.refused(signal)).toBe(5);
});

test("it changes nothing when all is so already, puts back what was flushed, and leaves others' rules alone", async () => {
  await using host = await networkNamespace();
  await moveIn(host);
  const before = await othersRules(host, /deployd/i);
  const ports = portsInside(host);
  const traffic = trafficFor(spec, "web", instances, ports, 10_000);
  for (const on of [["1", "2"], ["2"], []]) {
    await traffic.steer(on, signal);
    const rules = await allRules(host);
    ports.ran.length = 0;
    await traffic.steer(on, signal);
    expect(ports.ran).toEqual(["nft list table inet deploydreject_web"]);
    await host.must(["nft", "flush", "table", "inet", "deploydreject_web"]);
    await traffic.steer(on, signal);
    expect(await allRules(host)).toBe(rules);
    expect(await othersRules(host, /deployd/i)).toBe(before);
  }
  await traffic.remove(signal);
  await traffic.remove(signal);
  expect(await othersRules(host, /deployd/i)).toBe(before);
  expect(await allRules(host)).not.toMatch(/deployd/i);
});

test("a service that steers by nft never has another's table of refusals", () => {
  expect(rejectTableName("web")).toBe("deploydreject_web");
});
