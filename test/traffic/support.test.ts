import { expect, setDefaultTimeout, test } from "bun:test";
import type { TrafficEffects } from "../../src/traffic/effects.ts";
import { trafficSupport } from "../../src/traffic/support.ts";
import { networkNamespace } from "../harness/netns.ts";
import { portsInside, without } from "./inside.ts";
import { moveIn } from "./neighbours.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();

async function supportOf(effects: TrafficEffects) {
  const all = await trafficSupport(effects, signal);
  expect(all.map(({ strategy }) => strategy)).toEqual(["nft", "iptables", "haproxy", "reject", "hook"]);
  return Object.fromEntries(all.map(({ strategy, ...found }) => [strategy, found]));
}

test("a host with everything can use everything, and looking changes nothing", async () => {
  await using host = await networkNamespace();
  const found = await supportOf(portsInside(host));
  for (const [strategy, version] of [
    ["nft", /^nftables v\d/],
    ["iptables", /^iptables v\d[\d.]* \((nf_tables|legacy)\)$/],
    ["haproxy", /^HAProxy version \d/],
    ["reject", /^nftables v\d/],
    ["hook", /agent's file/],
  ] as const) {
    expect(found[strategy]).toEqual({ supported: true, detail: expect.stringMatching(version) });
  }
  expect(await host.must(["nft", "list", "ruleset"])).toBe("");
  expect(await host.must(["cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"])).toBe("");
});

test("what is missing is named by its package", async () => {
  await using host = await networkNamespace();
  const found = await supportOf(without(portsInside(host), /nft|tables|haproxy/));
  expect(found["nft"]).toEqual({ supported: false, detail: 'there is no program "nft"', missing: "nftables" });
  expect(found["iptables"]).toMatchObject({ supported: false, missing: "iptables" });
  expect(found["haproxy"]).toMatchObject({ supported: false, missing: "haproxy" });
  expect(found["reject"]).toMatchObject({ supported: false, missing: "nftables" });
  expect(found["hook"]).toMatchObject({ supported: true });
  expect((await supportOf(without(portsInside(host), /^ip6tables/)))["iptables"]?.detail).toEndWith(
    "IPv4 only: there is no ip6tables",
  );
});

test("an agent without the capability is told so", async () => {
  await using host = await networkNamespace();
  const effects = portsInside(host);
  const bare = ["setpriv", "--bounding-set", "-net_admin"];
  const found = await supportOf({
    ...effects,
    tool: (argv, options) => effects.tool([...bare, ...argv], options),
    read: async (path) => (await host.run([...bare, "cat", path])).stdout,
  });
  for (const strategy of ["nft", "iptables", "reject"]) {
    expect(found[strategy]).toMatchObject({ supported: false, missing: "CAP_NET_ADMIN" });
  }
});

test("both variants of iptables in use at once are said", async () => {
  await using host = await networkNamespace();
  await moveIn(host);
  expect((await supportOf(portsInside(host)))["iptables"]).toMatchObject({
    supported: true,
    detail: expect.stringContaining("both legacy and nft rules are in use, which do not see each other"),
  });
});
