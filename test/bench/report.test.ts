import { expect, test } from "bun:test";
import type { Figure } from "./figure.ts";
import { jsonLine, table } from "./report.ts";
import { median, takingTurns } from "./statistics.ts";

const figure: Figure = {
  name: "fanout",
  value: 0.31234,
  unit: "ratio",
  limit: 0.5,
  goal: "at most",
  detail: { rounds: [1, 2] },
};

test("a figure is one line of JSON that says whether it meets its goal", () => {
  expect(jsonLine("zookeeper", figure)).toBe(
    '{"bench":"zookeeper","name":"fanout","value":0.312,"unit":"ratio","limit":0.5,"goal":"at most","ok":true,"detail":{"rounds":[1,2]}}',
  );
  expect(JSON.parse(jsonLine("zookeeper", { ...figure, value: 0.51 }))).toMatchObject({ value: 0.51, ok: false });
  const more = { ...figure, goal: "at least" as const };
  expect(JSON.parse(jsonLine("zookeeper", more))).toMatchObject({ goal: "at least", ok: false });
  expect(JSON.parse(jsonLine("zookeeper", { ...more, value: 0.5 }))).toMatchObject({ ok: true });
  expect(JSON.parse(jsonLine("zookeeper", { ...figure, limit: null }))).toMatchObject({ limit: null, ok: true });
});

test("the table shows a missed goal and what the value was made of", () => {
  const missed = table([
    figure,
    { ...figure, name: "slow", value: 2 },
    { ...figure, name: "found", goal: "at least" },
  ]).split("\n");
  expect(missed).toEqual([
    "fanout  0.312  ratio  at most 0.5   ok",
    "    rounds: 1 2",
    "slow        2  ratio  at most 0.5   MISSED",
    "    rounds: 1 2",
    "found   0.312  ratio  at least 0.5  MISSED",
    "    rounds: 1 2",
  ]);
});

test("the median is the middle value, or the mean of the two in the middle", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 9])).toBe(3);
});

test("in enough rounds everyone comes first and last equally often", () => {
  const orders = Array.from({ length: 6 }, (_, round) => takingTurns(["a", "b", "c"], round));
  for (const name of ["a", "b", "c"]) {
    expect(orders.filter((order) => order[0] === name)).toHaveLength(2);
    expect(orders.filter((order) => order[2] === name)).toHaveLength(2);
  }
});

test.each([
  { argv: [], code: 0, says: "zookeeper" },
  { argv: ["nosuch"], code: 64, says: "There are: zookeeper, unpack, restarts, fleet, ansible, rehearsal, monitor." },
  { argv: ["unpack", "--rounds", "0"], code: 64, says: "--rounds N" },
  { argv: ["unpack", "--only", "tiny"], code: 64, says: 'no part "tiny", only: small, large' },
])("the command $argv ends with $code", async ({ argv, code, says }) => {
  const command = [process.execPath, Bun.fileURLToPath(import.meta.resolve("./main.ts")), ...argv];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect({ code: await child.exited, said: `${out}${err}` }).toEqual({ code, said: expect.stringContaining(says) });
});
