import { expect, setDefaultTimeout, test } from "bun:test";
import type { TrafficSpec } from "../../src/core/traffic.ts";
import { trafficFor } from "../../src/traffic/traffic.ts";
import { join, JOINED, networkNamespace } from "../harness/netns.ts";
import { answers, keepConnection, portsInside, serveLines } from "./inside.ts";
import { allRules, moveIn, othersRules } from "./neighbours.ts";

/* What the two redirecting back ends, nft and iptables in both variants, promise alike. */

setDefaultTimeout(60_000);

const { signal } = new AbortController();
const FRONT = 8000;
const OWN = /deployd/i;
const CHANGE = /-restore|nft -f|delete/;
const instances = [8001, 8002, 8003].map((port, index) => ({ name: String(index + 1), port }));
const backEnds: readonly (readonly [string, TrafficSpec])[] = [
  ["nft", { by: "nft", port: FRONT }],
  ["iptables (legacy)", { by: "iptables", port: FRONT, variant: "legacy" }],
  ["iptables (nft)", { by: "iptables", port: FRONT, variant: "nft" }],
];

test.each(backEnds)(
  "%s spreads new connections over the instances that are on, for clients on other hosts and on this one",
  async (_, spec) => {
    await using host = await networkNamespace();
    await using other = await networkNamespace();
    await join(host, other);
    await using _server = await serveLines(host, [8001, 8002, 8003]);
    const traffic = trafficFor(spec, "web", instances, portsInside(host), 10_000);

    await traffic.steer(["3", "1", "2"], signal);
    expect(await answers(other, JOINED.ipv4[0], FRONT, 6)).toEqual({ 8001: 2, 8002: 2, 8003: 2 });
    await traffic.steer(["3", "1"], signal);
    for (const address of [JOINED.ipv4[0], JOINED.ipv6[0]]) {
      expect(await answers(other, address, FRONT, 6)).toEqual({ 8001: 3, 8003: 3 });
      expect(await answers(host, address, FRONT, 6)).toEqual({ 8001: 3, 8003: 3 });
    }
    expect(await answers(host, "127.0.0.1", FRONT, 6)).toEqual({ 8001: 3, 8003: 3 });
    expect(await answers(host, "::1", FRONT, 6)).toEqual({ 8001: 3, 8003: 3 });

    await traffic.steer(["2"], signal);
    expect(await answers(other, JOINED.ipv4[0], FRONT, 3)).toEqual({ 8002: 3 });
    await traffic.steer([], signal);
    expect(await answers(other, JOINED.ipv6[0], FRONT, 1)).toEqual({ ECONNREFUSED: 1 });
    expect(await answers(host, "127.0.0.1", FRONT, 1)).toEqual({ ECONNREFUSED: 1 });
  },
);

test.each(backEnds)("%s leaves what goes out to the same port of another host alone", async (_, spec) => {
  await using host = await networkNamespace();
  await using other = await networkNamespace();
  await join(host, other);
  await using _server = await serveLines(other, [FRONT]);
  await trafficFor(spec, "web", instances, portsInside(host), 10_000).steer(["1"], signal);
  expect(await answers(host, JOINED.ipv4[1], FRONT, 2)).toEqual({ [FRONT]: 2 });
  expect(await answers(host, JOINED.ipv6[1], FRONT, 2)).toEqual({ [FRONT]: 2 });
});

test.each(backEnds)(
  "%s lets established connections live on where they are, also when nobody is on, and counts them",
  async (_, spec) => {
    await using host = await networkNamespace();
    await using other = await networkNamespace();
    await join(host, other);
    await using _server = await serveLines(host, [8001, 8002, 8003]);
    const traffic = trafficFor(spec, "web", instances, portsInside(host), 10_000);
    await traffic.steer(["1"], signal);
    const clients = [
      await keepConnection(other, JOINED.ipv4[0], FRONT),
      await keepConnection(other, JOINED.ipv6[0], FRONT),
      await keepConnection(host, "127.0.0.1", FRONT),
    ];
    const asked = () => Promise.all(clients.map((client) => client.ask()));
    expect(await asked()).toEqual(["8001", "8001", "8001"]);
    for (const on of [["2"], [], ["2", "3"]]) {
      await traffic.steer(on, signal);
      expect(await asked()).toEqual(["8001", "8001", "8001"]);
    }
    expect(await traffic.busy("1", signal)).toBe(3);
    expect(await traffic.busy("2", signal)).toBe(0);
    expect(await traffic.refused(signal)).toBeNull();
  },
);

test.each(backEnds)("%s changes nothing when all is so already", async (_, spec) => {
  await using host = await networkNamespace();
  await moveIn(host);
  for (const on of [["1", "2", "3"], ["2"], []]) {
    await trafficFor(spec, "web", instances, portsInside(host), 10_000).steer(on, signal);
    const before = await allRules(host);
    const ports = portsInside(host);
    await trafficFor(spec, "web", instances, ports, 10_000).steer(on.toReversed(), signal);
    expect(ports.ran.filter((line) => CHANGE.test(line))).toEqual([]);
    expect(await allRules(host)).toBe(before);
  }
});

test.each(backEnds)("%s never touches the rules of Docker, ufw and the administrator", async (_, spec) => {
  await using host = await networkNamespace();
  await moveIn(host);
  const before = await othersRules(host, OWN);
  expect(before).toContain("DOCKER-ISOLATION");
  expect(before).toContain("ufw-user-input");
  expect(before).toContain("table inet site");
  const traffic = trafficFor(spec, "web", instances, portsInside(host), 10_000);
  for (const on of [["1", "2", "3"], ["1"], [], ["2", "3"]]) {
    await traffic.steer(on, signal);
    expect(await othersRules(host, OWN)).toBe(before);
    expect(await allRules(host)).toMatch(OWN);
  }
  // Also by an agent whose file knows nothing of this back end any more.
  await trafficFor({ ...spec, port: 1 } as TrafficSpec, "web", [], portsInside(host), 10_000).remove(signal);
  expect(await othersRules(host, OWN)).toBe(before);
  expect(await allRules(host)).not.toMatch(OWN);
  // Once more, with nothing there.
  await traffic.remove(signal);
  expect(await othersRules(host, OWN)).toBe(before);
});

test.each(backEnds)("%s works beside Docker's and ufw's rules", async (_, spec) => {
  await using host = await networkNamespace();
  await using other = await networkNamespace();
  await join(host, other);
  await moveIn(host);
  await using _server = await serveLines(host, [8001, 8002, 8003]);
  await trafficFor(spec, "web", instances, portsInside(host), 10_000).steer(["1", "2"], signal);
  for (const from of [host, other]) {
    expect(await answers(from, JOINED.ipv4[0], FRONT, 4)).toEqual({ 8001: 2, 8002: 2 });
    expect(await answers(from, JOINED.ipv6[0], FRONT, 4)).toEqual({ 8001: 2, 8002: 2 });
  }
});

test.each(backEnds)("%s puts back what somebody has flushed or changed", async (_, spec) => {
  await using host = await networkNamespace();
  await using _server = await serveLines(host, [8001, 8002, 8003]);
  const traffic = trafficFor(spec, "web", instances, portsInside(host), 10_000);
  await traffic.steer(["1", "2"], signal);
  const before = await allRules(host);
  const flushes = [
    "nft flush ruleset; iptables-legacy -t nat -F; iptables-legacy -t nat -X; ip6tables-legacy -t nat -F",
    "nft flush table inet deployd_web",
    "nft delete chain inet deployd_web output",
    "nft add rule inet deployd_web prerouting tcp dport 8000 accept",
    "iptables-legacy -t nat -F; iptables-nft -t nat -F",
    "iptables-legacy -t nat -F PREROUTING; iptables-nft -t nat -F OUTPUT",
    "iptables-legacy -t nat -F DEPLOYD_web; iptables-nft -t nat -F DEPLOYD_web",
  ];
  for (const flush of flushes) {
    await host.run(["sh", "-c", flush]);
    await traffic.steer(["1", "2"], signal);
    expect(await answers(host, "127.0.0.1", FRONT, 4)).toEqual({ 8001: 2, 8002: 2 });
    expect(await answers(host, "::1", FRONT, 4)).toEqual({ 8001: 2, 8002: 2 });
  }
  // But for the empty chains that iptables-nft makes when it is asked to flush them.
  const rules = (dump: string): string[] => dump.split("\n").filter((line) => OWN.test(line) || /redirect/i.test(line));
  expect(rules(await allRules(host)).toSorted()).toEqual(rules(before).toSorted());
});

test.each(backEnds)("%s keeps the rules of two services apart", async (_, spec) => {
  await using host = await networkNamespace();
  await using _server = await serveLines(host, [8001, 8002, 8003]);
  const web = trafficFor(spec, "web", instances.slice(0, 1), portsInside(host), 10_000);
  const api = trafficFor(
    { ...spec, port: 9000 } as TrafficSpec,
    "web-api.with_a_name-that-is-long",
    instances.slice(1),
    portsInside(host),
    10_000,
  );
  await web.steer(["1"], signal);
  await api.steer(["2", "3"], signal);
  expect(await answers(host, "127.0.0.1", FRONT, 2)).toEqual({ 8001: 2 });
  expect(await answers(host, "127.0.0.1", 9000, 2)).toEqual({ 8002: 1, 8003: 1 });
  await web.remove(signal);
  expect(await answers(host, "127.0.0.1", FRONT, 1)).toEqual({ ECONNREFUSED: 1 });
  expect(await answers(host, "127.0.0.1", 9000, 2)).toEqual({ 8002: 1, 8003: 1 });
});

test.each(backEnds)("%s follows the clients' port when the host's file names another", async (_, spec) => {
  await using host = await networkNamespace();
  await using _server = await serveLines(host, [8001]);
  const one = instances.slice(0, 1);
  await trafficFor(spec, "web", one, portsInside(host), 10_000).steer(["1"], signal);
  const moved = { ...spec, port: 9000 } as TrafficSpec;
  await trafficFor(moved, "web", one, portsInside(host), 10_000).steer(["1"], signal);
  expect(await answers(host, "127.0.0.1", 9000, 1)).toEqual({ 8001: 1 });
  expect(await answers(host, "127.0.0.1", FRONT, 1)).toEqual({ ECONNREFUSED: 1 });
});

test.each(backEnds)("%s spreads over as many instances as a host may have", async (_, spec) => {
  await using host = await networkNamespace();
  const many = Array.from({ length: 256 }, (_, index) => ({ name: `i${index}`, port: 20_000 + index }));
  await using _server = await serveLines(host, [20_000, 20_001, 20_002]);
  const ports = portsInside(host);
  const traffic = trafficFor(spec, "web", many, ports, 10_000);
  const all = many.map(({ name }) => name);
  await traffic.steer(all, signal);
  expect(await answers(host, "127.0.0.1", FRONT, 3)).toEqual({ 20_000: 1, 20_001: 1, 20_002: 1 });
  ports.ran.length = 0;
  await traffic.steer(all, signal);
  expect(ports.ran.filter((line) => CHANGE.test(line))).toEqual([]);
});

test("a host that changes from one back end to another keeps its established connections", async () => {
  await using host = await networkNamespace();
  await using _server = await serveLines(host, [8001, 8002, 8003]);
  const [nft, legacy, iptablesNft] = backEnds.map(([, spec]) =>
    trafficFor(spec, "web", instances, portsInside(host), 10_000),
  );
  await nft?.steer(["1"], signal);
  const client = await keepConnection(host, "127.0.0.1", FRONT);
  expect(await client.ask()).toBe("8001");
  await iptablesNft?.steer(["2"], signal);
  await nft?.remove(signal);
  expect(await client.ask()).toBe("8001");
  expect(await answers(host, "127.0.0.1", FRONT, 2)).toEqual({ 8002: 2 });
  // The other variant's rules are taken over without being asked to.
  await legacy?.steer(["3"], signal);
  expect(await client.ask()).toBe("8001");
  expect(await answers(host, "127.0.0.1", FRONT, 2)).toEqual({ 8003: 2 });
});
