import { expect, test } from "bun:test";
import { iptablesChainName } from "../../src/traffic/iptables.ts";
import { nftTableName } from "../../src/traffic/nft.ts";

test("a plain name stays readable", () => {
  expect(nftTableName("web_2")).toBe("deployd_web_2");
  expect(iptablesChainName("web")).toBe("DEPLOYD_web");
});

test("odd and long names are legal and tell services apart", () => {
  const services = ["web-api", "web.api", "web_api", "w".repeat(63), `${"w".repeat(62)}x`, "web_api_6f0a32c1", "9"];
  for (const [nameOf, legal] of [
    [nftTableName, /^[A-Za-z][A-Za-z0-9_]{0,47}$/],
    [iptablesChainName, /^[A-Za-z][A-Za-z0-9_]{0,27}$/],
  ] as const) {
    const names = services.map(nameOf);
    for (const name of names) expect(name).toMatch(legal);
    expect(new Set(names).size).toBe(services.length);
  }
});

test("a service cannot be named so that it has the table of another", () => {
  const hashed = nftTableName("web-api").slice("deployd_".length);
  expect(nftTableName(hashed)).not.toBe(nftTableName("web-api"));
});
