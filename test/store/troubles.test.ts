import { expect, test } from "bun:test";
import { Troubles } from "../../src/store/troubles.ts";
import { ZooKeeperError } from "../../src/zookeeper/errors.ts";

function troubles() {
  const said: string[] = [];
  const all = new Troubles((level, message, facts) => said.push(`${level}: ${message} ${JSON.stringify(facts)}`));
  return { all, said };
}

test("each thing's last error is said when it comes and when it changes, and that it is over", () => {
  const { all, said } = troubles();
  for (let tries = 0; tries < 1_000; tries += 1) all.note("read", new Error("no"));
  all.note("write", new Error("full"));
  all.note("read", new Error("never"));
  expect(all.text).toBe("Cannot read: never Cannot write: full");
  all.note("read", null);
  all.note("read", null);
  expect(all.text).toBe("Cannot write: full");
  expect(said).toEqual([
    'warn: cannot read; it is tried again {"error":"no"}',
    'warn: cannot write; it is tried again {"error":"full"}',
    'warn: cannot read; it is tried again {"error":"never"}',
    "info: can read again {}",
  ]);
});

test("what failed with the connection is the connection's trouble", () => {
  const { all, said } = troubles();
  for (const code of ["CONNECTION_LOSS", "SESSION_EXPIRED"] as const)
    all.note("read", new ZooKeeperError({ code, operation: "getData", outcome: "not-sent" }));
  expect([all.text, ...said]).toEqual([""]);
  all.note("read", new ZooKeeperError({ code: "NO_AUTH", operation: "getData", path: "/x", outcome: "refused" }));
  expect(all.text).toBe("Cannot read: ZooKeeper getData /x failed with NO_AUTH");
});
