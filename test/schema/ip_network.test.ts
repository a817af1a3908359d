import { expect, test } from "bun:test";
import { isWithin, parseIpAddress, parseIpNetwork } from "../../src/schema/ip_network.ts";

function within(address: string, network: string): boolean {
  const [one, other] = [parseIpAddress(address), parseIpNetwork(network)];
  if (one === null || other === null) throw new Error(`${address} or ${network} cannot be read`);
  return isWithin(one, other);
}

test.each([
  ["10.1.2.3", "10.0.0.0/8"],
  ["10.1.2.3", "0.0.0.0/0"],
  ["127.255.0.1", "127.0.0.0/8"],
  ["10.1.2.3", "10.1.2.3"],
  ["fd00::1", "fd00::/8"],
  ["FD00:0:0:0:0:0:0:1", "fd00::1"],
  ["::ffff:10.1.2.3", "10.0.0.0/8"],
  ["::ffff:0a01:0203", "10.1.2.3"],
  ["::", "::"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4::/64"],
])("%s is within %s", (address, network) => {
  expect(within(address, network)).toBe(true);
});

test.each([
  ["11.1.2.3", "10.0.0.0/8"],
  ["10.1.2.4", "10.1.2.3/32"],
  ["10.1.2.3", "::/0"],
  ["::10.1.2.3", "10.0.0.0/8"],
  ["fe00::1", "fd00::/8"],
  ["::2", "::1"],
])("%s is not within %s", (address, network) => {
  expect(within(address, network)).toBe(false);
});

test.each(["", "10.0.0", "256.1.1.1", "0x7f.1", "2130706433", "1::2::3", "fe80::1%eth0", "localhost", "[::1]", ":"])(
  "%p is no address",
  (text) => {
    expect(parseIpAddress(text)).toBeNull();
  },
);

test.each(["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "/8"])("%p is no network", (text) => {
  expect(parseIpNetwork(text)).toBeNull();
});
