import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { murmur3, shareOf, thresholdFor, thresholdOf } from "../../src/core/host_share.ts";
import type { PercentText } from "../../src/schema/percent.ts";

const deployId = fc.stringMatching(/^2026112[0-9]-[0-9]{6}-[0-9a-f]{4}$/);
const hosts = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/), { maxLength: 60 });
const thousandths = fc.oneof(fc.constantFrom(0, 1, 10_000, 50_000, 99_999, 100_000), fc.nat(100_000));

function percent(thousandths: number): PercentText {
  return `${Math.floor(thousandths / 1000)}.${String(thousandths % 1000).padStart(3, "0")}%`;
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `web-${i}.eu-1.example.org`);
}

function below(threshold: number, deploy: string, hosts: readonly string[]): string[] {
  return hosts.filter((host) => shareOf(deploy, host) < threshold);
}

describe("the hash", () => {
  test("is MurmurHash3, as the runtime has it", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~]{0,40}$/), fc.nat(0xffff_ffff), (text, seed) => {
        expect(murmur3(text, seed)).toBe(Bun.hash.murmur32v3(text, seed));
      }),
    );
  });

  // A share must be the same for every version of deployd: a fleet has several while it is upgraded.
  test.each([
    ["20261123-081502-9f3c", "web-1", 0.08275659122795809],
    ["20261123-081502-9f3c", "web-2", 0.6770743231122377],
    ["20261123-081503-9f3c", "web-1", 0.8315324317921473],
  ] as const)("of %s and %s makes the share that it always made", (deploy, host, share) => {
    expect(shareOf(deploy, host)).toBe(share);
  });
});

describe("the shares of 20,000 hosts whose names differ in a number", () => {
  const count = 20_000;
  const shares = numbered(count).map((host) => shareOf("20261123-081502-9f3c", host));

  test("lie in [0, 1), and no two are the same", () => {
    expect(shares.every((share) => share >= 0 && share < 1)).toBe(true);
    expect(new Set(shares).size).toBe(count);
  });

  // Chi-square with 99 degrees of freedom is above 149 once in a thousand.
  test("are uniform, in their high bits and in their low ones", () => {
    for (const scale of [1, 2 ** 27, 2 ** 40]) {
      const buckets = Array.from({ length: 100 }, () => 0);
      for (const share of shares) {
        const bucket = Math.floor(((share * scale) % 1) * 100);
        buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      }
      const expected = count / 100;
      const chiSquare = buckets.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeLessThan(149);
    }
  });

  test("have nothing to do with those of the next deploy", () => {
    const next = numbered(count).map((host) => shareOf("20261123-081503-9f3c", host));
    const products = shares.map((share, i) => (share - 0.5) * ((next[i] ?? 0) - 0.5));
    // The correlation of unrelated numbers: its standard deviation is one by the root of their count.
    const correlation = products.reduce((sum, product) => sum + product, 0) / count / (1 / 12);
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(count));
  });
});

describe("a threshold", () => {
  test("has exactly so many percent of the hosts below it, rounded up", () => {
    fc.assert(
      fc.property(deployId, hosts, thousandths, (deploy, hosts, thousandths) => {
        const exact = Number((BigInt(hosts.length) * BigInt(thousandths) + 99_999n) / 100_000n);
        const threshold = thresholdFor(deploy, hosts, percent(thousandths));
        expect(below(threshold, deploy, hosts)).toHaveLength(exact);
      }),
    );
  });

  // In floating point some percentages of 10,000 are a little more than whole, and would be rounded up to one host more.
  test("is exact for 10,000 hosts", () => {
    const hosts = numbered(10_000);
    for (const [share, count] of [
      ["0.001%", 1],
      ["0.07%", 7],
      ["0.51%", 51],
      ["1%", 100],
      ["28.7%", 2870],
      ["99.999%", 10_000],
    ] as const) {
      expect(below(thresholdFor("d", hosts, share), "d", hosts)).toHaveLength(count);
    }
  });

  test("of nothing is 0 and of everything 1, and without hosts it is the percentage itself", () => {
    expect(thresholdFor("d", numbered(3), "0%")).toBe(0);
    expect(thresholdFor("d", numbered(3), "100%")).toBe(1);
    expect([thresholdFor("d", [], "0%"), thresholdFor("d", [], "25%"), thresholdFor("d", [], "100%")]).toEqual([
      0, 0.25, 1,
    ]);
  });

  test("is no lower for a higher percentage", () => {
    fc.assert(
      fc.property(deployId, hosts, thousandths, thousandths, (deploy, hosts, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)].map((t) =>
          thresholdFor(deploy, hosts, percent(t)),
        );
        expect(low).toBeLessThanOrEqual(high ?? 0);
      }),
    );
  });

  test("lies midway between two hosts, so that those who join are on either side", () => {
    const shares = Float64Array.of(0.1, 0.2, 0.6);
    expect(thresholdOf(shares, 2)).toBeCloseTo(0.4, 12);
    expect(thresholdOf(shares, 3)).toBeCloseTo(0.8, 12);
    expect(thresholdOf(shares, 0)).toBeNull();
  });

  test("cannot come between hosts with the same share, and has no fewer below it", () => {
    expect(thresholdOf(Float64Array.of(0.25, 0.25, 0.75), 1)).toBe(0.5);
    expect(thresholdOf(Float64Array.of(0.25, 0.75, 0.75), 2)).toBe(0.875);
    const next = 0.5 + 2 ** -53;
    for (const shares of [Float64Array.of(0.5, next), Float64Array.of(0.5 - 2 ** -54, 0.5)]) {
      const threshold = thresholdOf(shares, 1) ?? 0;
      expect([...shares].filter((share) => share < threshold)).toHaveLength(1);
    }
  });

  test("holds whoever of few different shares there are", () => {
    const few = fc.array(fc.constantFrom(0, 0.25, 0.5, 1 - 2 ** -53), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(few, fc.nat(11), (shares, at) => {
        const sorted = Float64Array.from(shares).toSorted();
        const count = (at % sorted.length) + 1;
        const threshold = thresholdOf(sorted, count) ?? 0;
        const found = [...sorted].filter((share) => share < threshold).length;
        expect(found).toBe(sorted.lastIndexOf(sorted[count - 1] ?? 0) + 1);
      }),
    );
  });
});
