import { expect, test } from "bun:test";
import { frontProbe } from "../../src/service/health.ts";
import type { CheckSpec, ProbeSpec } from "../../src/core/resolved_recipe.ts";
import { trafficSection } from "../../src/schema/traffic_sections.ts";

const check = (probe: ProbeSpec): CheckSpec => ({
  probe,
  intervalMs: 100,
  deadlineMs: 1_000,
  successes: 1,
  minHealthyMs: 0,
});
const http = (url: string): CheckSpec =>
  check({ kind: "http", url, expectStatus: [204], expectBody: "v2", timeoutMs: 500 });
const nft = (more: object = {}) => trafficSection.parse({ by: "nft", port: 80, ...more });

test("where the front is a port of the host, the check is asked there, whichever build answers", () => {
  expect(frontProbe(nft(), http("http://127.0.0.1:8081/health?full=1"), 8081)).toEqual({
    kind: "http",
    url: "http://127.0.0.1/health?full=1",
    expectStatus: [204],
    timeoutMs: 500,
  });
  const tcp = check({ kind: "tcp", host: "::1", port: 8081, timeoutMs: 500 });
  expect(frontProbe(nft(), tcp, 8081)).toEqual({ kind: "tcp", host: "::1", port: 80, timeoutMs: 500 });
});

test("a check that does not ask what clients ask is not asked through the front", () => {
  expect(frontProbe(nft(), http("http://127.0.0.1:9000/health"), 8081)).toBeNull();
  expect(frontProbe(nft(), check({ kind: "tcp", host: "::1", port: 9000, timeoutMs: 500 }), 8081)).toBeNull();
  expect(frontProbe(nft(), check({ kind: "command", run: "true", timeoutMs: 500 }), 8081)).toBeNull();
  expect(frontProbe(nft(), null, 8081)).toBeNull();
  expect(frontProbe(trafficSection.parse({ by: "reject" }), http("http://127.0.0.1:8081/"), 8081)).toBeNull();
});

test("what the host names goes before everything", () => {
  const named = nft({ probe: "tcp://[::1]:443" });
  expect(frontProbe(named, null, 8081)).toMatchObject({ kind: "tcp", host: "::1", port: 443 });
  const url = trafficSection.parse({ by: "reject", probe: "https://web.example.com/ok" });
  expect(frontProbe(url, null, null)).toMatchObject({ kind: "http", url: "https://web.example.com/ok" });
});
