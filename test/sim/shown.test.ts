import { expect, test } from "bun:test";
import { recordIn } from "../harness/deploy_records.ts";
import { hostStatus } from "../harness/host_status.ts";
import { Ledger } from "./checker/ledger.ts";
import { judgeShown, type Shown } from "./checker/shown.ts";
import { TreeView } from "./checker/tree_view.ts";

const good: Shown = {
  screen: [
    "✓ web v2  done  1/2",
    "",
    "  HOST    STATE",
    "✓ web-01  done  serving  1s  v2",
    "? web-02  unreachable  ready  2s  -",
  ].join("\n"),
  page: [
    "<title>web v2 done · deployd</title>",
    '<div id="hosts"><table><thead><tr><th scope="col">Host</th></tr></thead><tbody>',
    '<tr><th scope="row"><a href="/services/web/hosts/web-01">web-01</a></th><td>✓ done</td><td>serving</td><td>v2</td></tr>',
    '<tr><th scope="row"><a href="/services/web/hosts/web-02">web-02</a></th><td>? unreachable</td><td>ready</td><td>-</td></tr>',
    "</tbody></table></div>",
  ].join(""),
  status: JSON.stringify({
    deploy: { state: "done" },
    hosts: [
      { host: "web-01", connected: true, step: "serving", build: "v2" },
      { host: "web-02", connected: false, step: "ready", build: null },
    ],
  }),
};

function violationsOf(shown: Shown): string[] {
  const tree = new TreeView("web");
  const put = (path: string, value: object): void =>
    tree.apply({ path: `/deployd/${path}`, data: JSON.stringify(value) });
  put("services/web/deploys/d1", recordIn("done"));
  for (const host of ["web-01", "web-02"]) put(`services/web/hosts/${host}`, { role: "fleet" });
  put("services/web/status/web-01", hostStatus({ step: "serving", build: "v2" }));
  put("services/web/status/web-02", hostStatus({ step: "ready" }));
  put("agents/web-01", {});
  const ledger = new Ledger(() => 0);
  judgeShown({ tree, ledger }, shown);
  return ledger.violations.map(({ what }) => what.split(" shows: ")[0] ?? "");
}

test("what shows what is so is right", () => {
  expect(violationsOf(good)).toEqual([]);
});

const table: readonly (readonly [string, keyof Shown, string, string, string])[] = [
  ["another build", "screen", "1s  v2", "1s  v1", "web-01 says serving and serves v2, and the monitor"],
  ["another build", "page", "<td>v2", "<td>v1", "web-01 says serving and serves v2, and the page"],
  ["another build", "status", '"build":"v2"', '"build":"v1"', "web-01 says serving and serves v2, and status"],
  ["another step", "screen", "serving", "soak", "web-01 says serving and serves v2, and the monitor"],
  ["another step", "page", "serving", "soak", "web-01 says serving and serves v2, and the page"],
  ["a host that is there as away", "screen", "✓ web-01", "? web-01", "web-01 is connected, and the monitor"],
  ["a host that is away as there", "screen", "? web-02", "… web-02", "web-02 is away, and the monitor"],
  ["a host that is away as there", "page", "? unreachable", "… ready", "web-02 is away, and the page"],
  ["a host that is away as there", "status", "false", "true", "web-02 is away, and status"],
  ["no row of a host", "screen", "? web-02", "? web-03", "web-02 has 0 rows, and the monitor"],
  ["no row of a host", "page", ">web-02<", ">web-03<", "web-02 has 0 rows, and the page"],
  ["another state of the deploy", "screen", "v2  done", "v2  halted", "d1 is done, and the monitor"],
  ["another state of the deploy", "page", "v2 done", "v2 halted", "d1 is done, and the page"],
  ["another state of the deploy", "status", '"done"', '"halted"', "d1 is done, and status"],
];

test.each(table)("%s is seen on the %s", (_what, way, from, to, found) => {
  const text = good[way] ?? "";
  expect(text).toContain(from);
  expect(violationsOf({ ...good, [way]: text.replace(from, to) })).toContain(found);
});
