import { expect, test } from "bun:test";
import { nftTraffic } from "../../src/traffic/nft.ts";
import { trafficFor } from "../../src/traffic/traffic.ts";
import { networkNamespace } from "../harness/netns.ts";
import { rejection } from "../harness/rejection.ts";
import { portsInside, without } from "./inside.ts";
import { trafficEffects } from "../harness/real_time.ts";

const { signal } = new AbortController();
const one = [{ name: "1", port: 8001 }];

test("none does nothing and counts nothing", async () => {
  const traffic = trafficFor({ by: "none" }, "web", [{ name: "1", port: null }], trafficEffects(), 1000);
  await traffic.steer([], signal);
  await traffic.taken(["1"], 1000, signal);
  await traffic.remove(signal);
  expect(await traffic.busy("1", signal)).toBeNull();
  expect(await traffic.refused(signal)).toBeNull();
});

test.each([
  [{ by: "nft", port: 80 }, [{ name: "1", port: null }], "its instance 1 has no port"],
  [{ by: "reject" }, [{ name: "1", port: null }], "its instance 1 has no port"],
  [{ by: "iptables", port: 8001, variant: "auto" }, one, "has port 8001, which clients connect to"],
  [{ by: "nft", port: 80 }, [...one, { name: "2", port: 8001 }], "has port 8001, which is instance 1's"],
  [{ by: "haproxy", socket: "/s", backend: "b", server: "web-${PORT}" }, one, 'web-${PORT}" has an unknown variable'],
] as const)("instances that %p cannot steer are refused before anything is done", (spec, instances, why) => {
  let error: unknown;
  try {
    trafficFor(spec, "web", instances, trafficEffects(), 1000);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: "config-invalid", message: expect.stringContaining(why) });
});

test("an instance that is not in the host's file is refused", async () => {
  const traffic = trafficFor({ by: "nft", port: 80 }, "web", one, trafficEffects(), 1000);
  for (const asked of [traffic.steer(["1", "9"], signal), traffic.busy("9", signal)]) {
    expect(await rejection(asked)).toMatchObject({
      code: "traffic-failed",
      message: "Cannot steer the traffic of instance 9: there are only 1.",
    });
  }
});

test.each([{ by: "nft", port: 80 } as const, { by: "reject" } as const])(
  "a host without nft is told what to install (%p)",
  async (spec) => {
    const traffic = trafficFor(spec, "web", one, without(trafficEffects(), /^nft$/), 1000);
    const error = await rejection(traffic.steer(["1"], signal));
    expect(error).toMatchObject({ code: "traffic-failed" });
    expect(error.message).toContain('there is no program "nft" on this host.');
    expect(error).toMatchObject({ hint: expect.stringContaining("Install the package nftables") });
  },
);

test.each([
  { by: "nft", port: 80 } as const,
  { by: "reject" } as const,
  { by: "iptables", port: 80, variant: "nft" } as const,
  { by: "iptables", port: 80, variant: "legacy" } as const,
])("an agent without the capability is told so (%p)", async (spec) => {
  await using host = await networkNamespace();
  const effects = portsInside(host);
  const bare: typeof effects = {
    ...effects,
    tool: (argv, options) => effects.tool(["setpriv", "--bounding-set", "-net_admin", ...argv], options),
  };
  expect(await rejection(trafficFor(spec, "web", one, bare, 10_000).steer(["1"], signal))).toMatchObject({
    code: "traffic-failed",
    hint: expect.stringContaining("CAP_NET_ADMIN"),
  });
});

test("a table of another's making under our name is an error that says how to get rid of it", async () => {
  await using host = await networkNamespace();
  await host.must(["nft", "add table inet deployd_web"]);
  await host.must(["nft", "add chain inet deployd_web output { type filter hook output priority 0; }"]);
  const traffic = nftTraffic({ by: "nft", port: 80 }, "web", one, portsInside(host), 10_000);
  expect(await rejection(traffic.steer(["1"], signal))).toMatchObject({
    code: "traffic-failed",
    message: expect.stringContaining('Cannot steer port 80 of web: "nft -f -" exited with 1, saying: '),
    hint: "See: nft list table inet deployd_web. If it was changed by hand, delete it, and deployd creates it again.",
  });
  await traffic.remove(signal);
  await traffic.steer(["1"], signal);
});
