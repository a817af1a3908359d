import { beforeAll, describe, test } from "bun:test";
import { deploydBinary } from "../harness/binary.ts";
import { HOOK_MS } from "../harness/fleet_patience.ts";
import { AT_ONCE, atOnce } from "./pool.ts";
import { runVariant } from "./run_variant.ts";
import { nameOf, sentenceOf, VARIANTS } from "./variants.ts";
import { explained, judged } from "./verdict.ts";

/*
 * What `npm run bench -- restarts` measures in full, as a test: with one roll and fewer requests, which show a fault as
 * well, and without rows that differ from others in nothing but the program that makes the rules. The long ones come first.
 */

const NAMES = [
  "nft-coop-graceful",
  "iptables-legacy-coop-graceful",
  "iptables-nft-coop-graceful",
  "haproxy-nocoop-graceful",
  "nft-nocoop-graceful",
  "nft-coop-graceful-websocket",
  "haproxy-nocoop-abrupt",
  "nft-coop-abrupt",
  "reject-coop-graceful",
  "systemd-socket-coop-graceful",
  "systemd-socket-nocoop-graceful-nodrain",
  "haproxy-coop-graceful-line",
  "plain-coop-graceful",
  "loop-coop-graceful",
];

const rows = NAMES.map((name) => {
  const variant = VARIANTS.find((each) => nameOf(each) === name);
  if (variant === undefined) throw new Error(`there is no variant ${name}`);
  return { sentence: sentenceOf(variant), variant };
});

/**
 * Requests that may be late where none should be. Here four rolls share two processors with each other, and on a machine
 * that is not ours alone a process may stand still for a second: one such moment makes a handful of requests late. A
 * strategy that makes clients wait makes about a hundred late in one roll (a plain restart behind a socket). The bench,
 * which has the processors to itself, holds them to none.
 */
const LATE_ON_A_BUSY_MACHINE = 20;

/** One more than the bench runs at full pace. */
const AT_HALF_PACE = AT_ONCE + 1;

/** All rows, should it be the last that is waited for. */
const PATIENCE_MS = 900_000;

describe("copies that are restarted one after the other, under load", () => {
  const running = new Map<string, Promise<void>>();

  beforeAll(async () => {
    await deploydBinary();
    const work = atOnce(AT_HALF_PACE, rows, async ({ variant }) => {
      const outcome = await runVariant(variant, 1, "half");
      const { expects } = variant;
      const late = expects.late === undefined ? {} : { late: Math.max(expects.late, LATE_ON_A_BUSY_MACHINE) };
      const verdict = judged({ ...variant, expects: { ...expects, ...late } }, outcome);
      const problems = [...verdict.blindSpots, ...verdict.disappointments];
      if (problems.length > 0) throw new Error([...problems, explained(verdict, outcome)].join("\n"));
    });
    for (const [number, { sentence }] of rows.entries()) running.set(sentence, work[number] ?? Promise.reject());
  }, HOOK_MS);

  test.each(rows.map(({ sentence }) => sentence))("%s", (sentence) => running.get(sentence), PATIENCE_MS);
});
