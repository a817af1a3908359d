import { expect, test } from "bun:test";
import { redirectTable } from "../../src/traffic/nft.ts";
import { isListed } from "../../src/traffic/nft_table.ts";
import { rejectTable } from "../../src/traffic/reject.ts";

const redirect = redirectTable("deployd_web", 80, [8001, 8002]);
const reject = rejectTable("deploydreject_web", [8001]);

const RULE = "fib daddr type local tcp dport 80 redirect to :numgen inc mod 2 map { 0 : 8001, 1 : 8002 }";
const PLAIN = "fib daddr type local tcp dport 80 redirect to :8002";

function listedRedirect({ priority = "dstnat", rule = RULE, more = "" } = {}): string {
  return `table inet deployd_web {
	chain prerouting {
		type nat hook prerouting priority ${priority}; policy accept;
		${rule}
		${PLAIN}
	}

	chain output {
		type nat hook output priority -100; policy accept;
		${RULE}
		${PLAIN}
	}
${more}}
`;
}

test.each(["dstnat", "-100"])("a table is known again, however this nft prints its priority (%s)", (priority) => {
  expect(isListed(redirect, listedRedirect({ priority }))).toBe(true);
});

test.each([
  "tcp flags syn / syn,ack", // nft 1.0
  "tcp flags & (syn | ack) == syn", // nft 0.9
])("rules that refuse are known again as %s", (flags) => {
  const listing = (packets: number): string => `table inet deploydreject_web {
	counter refused {
		packets ${packets} bytes 60
	}

	chain input {
		type filter hook input priority filter - 10; policy accept;
		iifname != "lo" tcp dport 8001 ${flags} counter name "refused" reject with tcp reset
	}
}
`;
  expect(isListed(reject, listing(0))).toBe(true);
  expect(isListed(reject, listing(4711))).toBe(true);
  expect(isListed(rejectTable("deploydreject_web", []), listing(0))).toBe(false);
});

test.each([
  ["another port", { rule: RULE.replace("8002", "8003") }],
  ["another priority", { priority: "dstnat + 5" }],
  ["a rule too many", { rule: `${RULE}\n\t\ttcp dport 80 accept` }],
  ["a chain too many", { more: "\n\tchain mine {\n\t}\n" }],
])("a table with %s is not as it should be", (_, changed) => {
  expect(isListed(redirect, listedRedirect(changed))).toBe(false);
});

test("a connection that finds no turn, for the map has just been replaced, is redirected all the same", () => {
  for (const { rules } of redirect.chains) expect(rules).toEqual([RULE, PLAIN]);
  for (const { rules } of redirectTable("deployd_web", 80, [8002]).chains) expect(rules).toEqual([PLAIN]);
});

test("with nobody on, the table redirects nothing and keeps connection tracking on", () => {
  for (const { rules } of redirectTable("deployd_web", 80, []).chains) {
    expect(rules).toEqual(["fib daddr type local tcp dport 80 ct state new return"]);
  }
});
