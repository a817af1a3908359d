import { expect, test } from "bun:test";
import { recordIn } from "../harness/deploy_records.ts";
import { hostStatus } from "../harness/host_status.ts";
import { judgeScreen } from "./checker/ending.ts";
import { Ledger } from "./checker/ledger.ts";
import { TreeView } from "./checker/tree_view.ts";

const good = [
  "✓ web v2  done  1/2",
  "",
  "  HOST    STATE",
  "✓ web-01  done  serving  1s  v2",
  "? web-02  unreachable  ready  2s  -",
];

function violationsOf(lines: readonly string[]): string[] {
  const tree = new TreeView("web");
  const put = (path: string, value: object): void =>
    tree.apply({ path: `/deployd/${path}`, data: JSON.stringify(value) });
  put("services/web/deploys/d1", recordIn("done"));
  for (const host of ["web-01", "web-02"]) put(`services/web/hosts/${host}`, { role: "fleet" });
  put("services/web/status/web-01", hostStatus({ step: "serving", build: "v2" }));
  put("services/web/status/web-02", hostStatus({ step: "ready" }));
  put("agents/web-01", {});
  const ledger = new Ledger(() => 0);
  judgeScreen({ tree, ledger }, { words: ["monitor"], code: 0, said: lines.join("\n") });
  return ledger.violations.map(({ what }) => what.split(", and it shows")[0] ?? "");
}

test("a screen that shows what is so is right", () => {
  expect(violationsOf(good)).toEqual([]);
});

test.each([
  ["another build", (line: string) => line.replace("1s  v2", "1s  v1"), "web-01 says serving and serves v2"],
  ["another step", (line: string) => line.replace("serving", "soak"), "web-01 says serving and serves v2"],
  ["a host that is there as away", (line: string) => line.replace("✓ web-01", "? web-01"), "web-01 is connected"],
  ["a host that is away as there", (line: string) => line.replace("? web-02", "… web-02"), "web-02 is away"],
  ["no row of a host", (line: string) => (line.includes("web-02") ? "" : line), "web-02 has 0 rows"],
  ["another state of the deploy", (line: string) => line.replace("v2  done", "v2  halted"), "d1 is done"],
])("%s is seen", (_what, change, found) => {
  expect(violationsOf(good.map(change))).toContain(found);
});
