import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metricsOf, reportOf, viewOf } from "../status/agent_status.ts";

const docs = join(import.meta.dir, "..", "..", "docs");
const page = readFileSync(join(docs, "metrics.md"), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string };
}
const { groups } = Bun.YAML.parse(readFileSync(join(docs, "alerts.yml"), "utf8")) as {
  groups: { rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

/** The rows of the tables below a heading, as the texts of their cells. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");

interface Series {
  readonly type: string;
  readonly labels: Map<string, Set<string>>;
}

/** What an agent that conducts exports, by name. */
async function exported(): Promise<Map<string, Series>> {
  const deploy = { id: "d1", build: "v1", state: "done" } as const;
  const text = await metricsOf(
    () => viewOf(),
    () => [reportOf({ deploy })],
  ).text();
  const series = new Map<string, Series>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    series.set(name, { type, labels: new Map() });
  }
  for (const [, sample = "", labels = ""] of text.matchAll(/^(\w+)\{(.*)\} /gm)) {
    const found = series.get(sample) ?? series.get(sample.replace(/_(?:bucket|sum|count)$/, ""));
    for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      if (found === undefined || label === "le") continue;
      found.labels.set(label, (found.labels.get(label) ?? new Set()).add(value));
    }
  }
  return series;
}

describe("docs/metrics.md", () => {
  test("explains every series, with its type and its labels, and none that is not there", async () => {
    const told = [...rowsBelow("Of each host"), ...rowsBelow("Of the conductor alone")].map(
      ([name, type, labels, meaning]) => [quoted(name)[0], type, quoted(labels), (meaning ?? "") !== ""],
    );
    const there = [...(await exported())].map(([name, { type, labels }]) => [name, type, [...labels.keys()], true]);
    const byName = (a: unknown[], b: unknown[]): number => (String(a[0]) < String(b[0]) ? -1 : 1);
    expect(told.toSorted(byName)).toEqual(there.toSorted(byName));
  });

  test("has every value of every label that has but a few", async () => {
    const series = await exported();
    const told = rowsBelow("Labels").flatMap(([names, label = "", values]) =>
      quoted(names).map((name) => [`${name} ${quoted(label)[0] ?? ""}`, quoted(values)]),
    );
    const open = new Set(["service", "target", "reason", "build", "deploy", "version"]);
    const there = [...series].flatMap(([name, { labels }]) =>
      [...labels].filter(([label]) => !open.has(label)).map(([label, values]) => [`${name} ${label}`, [...values]]),
    );
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(there));
  });

  test("has the alerts of the rules file, word for word", () => {
    expect(rules.length).toBeGreaterThan(8);
    const told = rowsBelow("Alerts").map(([alert, expr, lasting, action]) => [quoted(alert)[0], expr, lasting, action]);
    expect(told).toEqual(
      rules.map(({ alert, expr, annotations, ...rule }) => [alert, `\`${expr}\``, rule.for, annotations.action]),
    );
  });
});

describe("docs/alerts.yml", () => {
  test("asks for series and label values that are there", async () => {
    const series = await exported();
    for (const { expr } of rules) {
      for (const [, name = "", labels = ""] of expr.matchAll(/\b((?:deployd|up)\w*)(?:\{([^}]*)\})?/g)) {
        if (name === "up") continue;
        expect([...series.keys()]).toContain(name);
        for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
          expect([...(series.get(name)?.labels.get(label) ?? [])]).toContain(value);
        }
      }
    }
  });

  test("says of each alert how bad it is, what it is, and what to do", () => {
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Deployd[A-Z]/);
      expect(["critical", "warning", "info"]).toContain(labels.severity);
      expect(annotations.summary.length).toBeGreaterThan(20);
      expect(annotations.action.length).toBeGreaterThan(20);
    }
  });

  test("has no alert that no test has fire", () => {
    const shown = readFileSync(join(docs, "..", "test", "e2e", "alerts.test.ts"), "utf8");
    expect(rules.filter(({ alert }) => !shown.includes(alert)).map(({ alert }) => alert)).toEqual([]);
  });
});
