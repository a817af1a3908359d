import { expect, setDefaultTimeout, test } from "bun:test";
import type { TrafficSpec } from "../../src/core/traffic.ts";
import { natChange, natRemoval } from "../../src/traffic/iptables_rules.ts";
import { trafficFor } from "../../src/traffic/traffic.ts";
import { networkNamespace } from "../harness/netns.ts";
import { rejection } from "../harness/rejection.ts";
import { answers, portsInside, serveLines, without } from "./inside.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();
const instances = [{ name: "1", port: 8001 }];

function spec(variant: "auto" | "legacy" | "nft"): TrafficSpec {
  return { by: "iptables", port: 8000, variant };
}

test("auto uses what the iptables command speaks, and takes away what the other variant has of ours", async () => {
  await using host = await networkNamespace();
  await using _ = await serveLines(host, [8001]);
  const ports = portsInside(host);
  await trafficFor(spec("legacy"), "web", instances, ports, 10_000).steer(["1"], signal);
  expect(await host.must(["iptables-legacy-save", "-t", "nat"])).toContain("DEPLOYD_web");

  // An iptables that speaks nf_tables, whatever the machine's alternatives say.
  const speaksNft: typeof ports = {
    ...ports,
    tool: (argv, options) => ports.tool(argv[1] === "--version" ? ["iptables-nft", "--version"] : argv, options),
  };
  await trafficFor(spec("auto"), "web", instances, speaksNft, 10_000).steer(["1"], signal);
  for (const command of ["iptables", "ip6tables"]) {
    expect(await host.must([`${command}-legacy-save`])).not.toContain("DEPLOYD_web");
    expect(await host.must([`${command}-nft-save`])).toContain("DEPLOYD_web");
  }
  expect(await answers(host, "127.0.0.1", 8000, 2)).toEqual({ 8001: 2 });

  const speaksLegacy: typeof ports = {
    ...ports,
    tool: (argv, options) => ports.tool(argv[1] === "--version" ? ["iptables-legacy", "--version"] : argv, options),
  };
  await trafficFor(spec("auto"), "web", instances, speaksLegacy, 10_000).steer(["1"], signal);
  for (const command of ["iptables", "ip6tables"]) {
    expect(await host.must([`${command}-nft-save`])).not.toContain("DEPLOYD_web");
    expect(await host.must([`${command}-legacy-save`])).toContain("DEPLOYD_web");
  }
});

test("the nft variant does not make legacy tables", async () => {
  await using host = await networkNamespace();
  const traffic = trafficFor(spec("nft"), "web", instances, portsInside(host), 10_000);
  await traffic.steer(["1"], signal);
  await traffic.remove(signal);
  expect(await host.must(["cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"])).toBe("");
});

test("a host without ip6tables, or without IPv6, is steered for IPv4 alone", async () => {
  await using host = await networkNamespace();
  await using _ = await serveLines(host, [8001]);
  const ports = portsInside(host);
  await trafficFor(spec("nft"), "web", instances, without(ports, /^ip6tables/), 10_000).steer(["1"], signal);
  expect(await answers(host, "127.0.0.1", 8000, 1)).toEqual({ 8001: 1 });

  await host.must(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]);
  ports.ran.length = 0;
  await trafficFor(spec("legacy"), "web", instances, ports, 10_000).steer(["1"], signal);
  expect(ports.ran.filter((line) => line.startsWith("ip6tables-legacy"))).toEqual([]);
  expect(await answers(host, "127.0.0.1", 8000, 1)).toEqual({ 8001: 1 });
});

test("a host without iptables, or without the variant that its file names, is told what to install", async () => {
  await using host = await networkNamespace();
  const ports = portsInside(host);
  const steer = async (variant: "auto" | "legacy", missing: RegExp): Promise<Error> =>
    await rejection(trafficFor(spec(variant), "web", instances, without(ports, missing), 10_000).steer(["1"], signal));
  expect(await steer("auto", /tables/)).toMatchObject({
    code: "traffic-failed",
    message: 'Cannot steer port 8000 of web: there is no program "iptables" on this host.',
    hint: "Install the package iptables, or choose another traffic back end in the agent's file.",
  });
  expect(await steer("legacy", /legacy/)).toMatchObject({
    code: "traffic-failed",
    message: 'Cannot steer port 8000 of web: this host has no iptables for the variant "legacy".',
  });
});

const RULES = { chain: "DEPLOYD_web", front: 80, backs: [8001, 8002] };
const JUMPS = ["PREROUTING", "OUTPUT"].map(
  (hook) => `-A ${hook} -p tcp -m tcp --dport 80 -m addrtype --dst-type LOCAL -j DEPLOYD_web`,
);

test("a change is one transaction, with the jumps in front of everybody else's", () => {
  expect(natChange(RULES, "")).toBe(`*nat
:DEPLOYD_web - [0:0]
-A DEPLOYD_web -p tcp -m statistic --mode nth --every 2 --packet 0 -j REDIRECT --to-ports 8001
-A DEPLOYD_web -p tcp -j REDIRECT --to-ports 8002
-I PREROUTING -p tcp -m tcp --dport 80 -m addrtype --dst-type LOCAL -j DEPLOYD_web
-I OUTPUT -p tcp -m tcp --dport 80 -m addrtype --dst-type LOCAL -j DEPLOYD_web
COMMIT
`);
});

test("a jump that stands there twice, or for a port of before, is taken out, and one that is right is left", () => {
  const chain = `:DEPLOYD_web - [0:0]
-A DEPLOYD_web -p tcp -m statistic --mode nth --every 2 --packet 0 -j REDIRECT --to-ports 8001
-A DEPLOYD_web -p tcp -j REDIRECT --to-ports 8002`;
  const old = "-A PREROUTING -p tcp -m tcp --dport 81 -m addrtype --dst-type LOCAL -j DEPLOYD_web";
  const another = "-A PREROUTING -p tcp -m tcp --dport 80 -j DEPLOYD_web2";
  expect(natChange(RULES, [chain, ...JUMPS, another].join("\n"))).toBeNull();
  expect(natChange(RULES, [chain, ...JUMPS, JUMPS[0], old, another].join("\n"))).toBe(`*nat
${JUMPS[0]?.replace("-A", "-D")}
${old.replace("-A", "-D")}
COMMIT
`);
  expect(natRemoval("DEPLOYD_web", [chain, ...JUMPS, another].join("\n"))).toBe(`*nat
${JUMPS.map((jump) => jump.replace("-A", "-D")).join("\n")}
-F DEPLOYD_web
-X DEPLOYD_web
COMMIT
`);
  expect(natRemoval("DEPLOYD_web", another)).toBeNull();
});
