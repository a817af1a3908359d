import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { networkNamespace, type NetworkNamespace } from "../harness/netns.ts";
import { atOnce } from "./pool.ts";
import { localTargets, nodeProgram, startLoad, type Tally } from "./load.ts";

/*
 * The load against servers whose faults are known: what it counts is what was there, in its class and no other.
 */

const FIRST_PORT = 9_000;
const NOBODY = 8_999;
/** At once; all of them would make each other late. */
const LOADS = 5;
const PATIENCE_MS = 60_000;

/** By what faulty_server.mjs does: the only class that has something in it, if any. */
const EXPECTED: Readonly<Record<string, keyof Tally["classes"] | "late" | "ok">> = {
  "closes as announced": "ok",
  "ends its answer with the connection": "ok",
  "answers in chunks": "ok",
  "answers in single bytes": "ok",
  "closes idle connections": "stale",
  "closes when the second question comes": "stale",
  "closes while it serves the second question": "broken",
  "closes within its answer": "broken",
  "closes before its first answer": "broken",
  "has nobody to serve": "5xx",
  "says nothing": "timeout",
  "is late": "late",
  "speaks another protocol": "garbled",
  "answers what was not asked": "garbled",
  "is not there": "refused",
};

describe("a server that", () => {
  let namespace: NetworkNamespace;
  const tallies = new Map<string, Promise<Tally>>();

  beforeAll(async () => {
    namespace = await networkNamespace();
    const server = namespace.start([nodeProgram(), join(import.meta.dir, "faulty_server.mjs"), String(FIRST_PORT)]);
    const names = JSON.parse(await server.line()) as string[];
    const ports = [...names.map((_, index) => FIRST_PORT + index), NOBODY];
    const results = atOnce(LOADS, ports, (port) => tallyOf(namespace, port));
    for (const [index, result] of results.entries()) tallies.set(names[index] ?? "is not there", result);
  }, PATIENCE_MS);
  afterAll(() => namespace[Symbol.asyncDispose](), PATIENCE_MS);

  test.each(Object.entries(EXPECTED))(
    "%s is counted as %s",
    async (name, expected) => {
      const tally = await tallies.get(name);
      if (tally === undefined) throw new Error(`no server ${name}`);
      const found = Object.entries({ ...tally.classes, late: tally.late }).filter(([, count]) => count > 0);
      expect(found.map(([kind]) => kind)).toEqual(expected === "ok" ? [] : [expected]);
      expect(tally.requests).toBe(tally.ok + tally.failed);
      expect(tally.requests).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );
});

async function tallyOf(namespace: NetworkNamespace, port: number): Promise<Tally> {
  await using load = await startLoad(namespace, localTargets(port), { keepAlive: 2 });
  return (await load.stop()).http;
}
