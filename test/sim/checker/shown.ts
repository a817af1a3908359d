import type { Checker } from "./checker.ts";

/** What is shown of the fleet at the end, when nothing moves any more, in three ways. */
export interface Shown {
  /** What `monitor --once` printed. */
  readonly screen: string;
  /** The page of the service, of an agent's status port; null where no agent has one. */
  readonly page: string | null;
  /** What `status --json` printed. */
  readonly status: string;
}

/** What one of them says. */
interface Said {
  /** By what it was said. */
  readonly by: string;
  /** The line that names the newest deploy's state. */
  readonly head: string;
  /** By host: whether it is shown as away, and every word of its row. */
  readonly rows: readonly { readonly host: string; readonly isAway: boolean; readonly words: readonly string[] }[];
}

/**
 * Each host has one row with the step and the build that its status has, and a sign of its own where nobody is there; the
 * newest deploy's state is named.
 */
export function judgeShown(checker: Pick<Checker, "ledger" | "tree">, { screen, page, status }: Shown): void {
  for (const said of [onScreen(screen), ...(page === null ? [] : [onPage(page)]), inStatus(status)])
    judge(checker, said);
}

function judge({ ledger, tree }: Pick<Checker, "ledger" | "tree">, { by, head, rows }: Said): void {
  const wrong = (what: string): void =>
    ledger.broken("shown", `${what}, and ${by} shows: ${JSON.stringify({ head, rows }).slice(0, 2_000)}`);
  const newest = tree.newest();
  if (newest !== null && tree.damaged.size === 0 && !head.includes(newest.record.state))
    wrong(`${newest.id} is ${newest.record.state}`);
  for (const host of tree.hosts.keys()) {
    const of = rows.filter((row) => row.host === host);
    const [row] = of;
    if (of.length !== 1) wrong(`${host} has ${of.length} rows`);
    if (row === undefined) continue;
    if (row.isAway === tree.alive.has(host)) wrong(`${host} is ${tree.alive.has(host) ? "connected" : "away"}`);
    const said = tree.statuses.get(host);
    if (said === undefined || said === null) continue;
    for (const word of [said.step, said.build ?? "-"])
      if (!row.words.includes(word)) wrong(`${host} says ${said.step} and serves ${said.build}`);
  }
}

function onScreen(text: string): Said {
  const lines = text.split("\n");
  // What failed is told above them, by the hosts' names as well.
  const table = lines.slice(lines.findIndex((line) => line.startsWith("  HOST")) + 1);
  return {
    by: "the monitor",
    head: lines[0] ?? "",
    rows: table.map((line) => {
      const words = line.slice(2).split(/\s+/);
      return { host: words[0] ?? "", isAway: line.startsWith("?"), words };
    }),
  };
}

function onPage(html: string): Said {
  const textOf = (part: string): string => part.replace(/<[^>]*>/g, " ").trim();
  const [, table = ""] = /<div id="hosts">(.*?)<\/table>/s.exec(html) ?? [];
  const [, title = ""] = /<title>(.*?)<\/title>/s.exec(html) ?? [];
  return {
    by: "the page",
    head: title,
    rows: [...table.matchAll(/<tr[^>]*>(?:(?!<th scope="col").)*?<th scope="row">(.*?)<\/tr>/gs)].map(
      ([, row = ""]) => {
        const words = textOf(row).split(/\s+/);
        return { host: words[0] ?? "", isAway: words.includes("?"), words };
      },
    ),
  };
}

function inStatus(text: string): Said {
  const document = JSON.parse(text) as {
    deploy: { state: string } | null;
    hosts: { host: string; connected: boolean; step: string | null; build: string | null }[];
  };
  return {
    by: "status",
    head: document.deploy?.state ?? "",
    rows: document.hosts.map(({ host, connected, step, build }) => ({
      host,
      isAway: !connected,
      words: [step ?? "-", build ?? "-"],
    })),
  };
}
