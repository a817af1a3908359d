import { Hono, type Context } from "hono";
import { accepts } from "hono/accepts";
import { escaped, printableJson } from "../support/printable.ts";
import type { Metrics } from "./metrics.ts";
import { isReady, type AgentStatus } from "./agent_status.ts";
import { DEFAULT_LINES, MOST_LINES } from "../schema/log_lines.ts";
import { PAGE_HEADERS, serveAssets, type PageApp } from "../page/app.ts";
import { hostOf, isKnownName } from "../page/visitors.ts";
import { statusPage } from "./status_page.tsx";
import { endOfLogs, logsOfStep, type StepLogs } from "./step_logs.ts";

const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * The read-only status port. `/status` answers in the format that the Accept header asks for: Prometheus names its text
 * format first, a browser names HTML, while curl and scripts accept anything and get JSON. `?format=` with json, prometheus
 * or html decides where no header can be set.
 *
 * @param page the fleet for a browser, where this agent shows it
 * @param aliases by which this host may be asked, beside its own
 */
export function statusApp(
  view: () => AgentStatus,
  metrics: Metrics,
  logs: StepLogs = noLogs,
  page: PageApp | null = null,
  aliases: readonly string[] = [],
): PageApp {
  const app: PageApp = new Hono();
  const prometheus = async () =>
    new Response(await metrics.text(), { headers: { "content-type": PROMETHEUS_TYPE, vary: "Accept" } });
  const json = () =>
    new Response(printableJson(JSON.stringify({ schema: "deployd.status/1", ...view() })), {
      headers: { "content-type": "application/json;charset=utf-8", vary: "Accept", "cache-control": "no-store" },
    });

  const html = () =>
    new Response(statusPage(view(), page !== null), {
      headers: { ...PAGE_HEADERS, "content-type": "text/html; charset=utf-8", vary: "Accept" },
    });

  // Metrics are told by any name: whoever scrapes may know this host by one of its own. These have the ends of logs in them.
  const told = (c: Context, answer: () => Response): Response =>
    isKnownName(hostOf(c.req.raw), [view().host, ...aliases])
      ? answer()
      : c.text("Cannot show the status: ask for it by the address of this host, or by its name in deployd.\n", 403);

  app.get("/status", (c) => {
    const format = c.req.query("format");
    if (format === "json") return told(c, json);
    if (format === "prometheus") return prometheus();
    if (format === "html") return told(c, html);
    if (format !== undefined) {
      return c.text(`Cannot show the status as "${format}": the formats are json, prometheus and html.\n`, 400);
    }
    const wanted = accepts(c, {
      header: "Accept",
      supports: ["application/json", "text/plain", "application/openmetrics-text", "text/html"],
      default: "application/json",
      // The most preferred type decides; a bare */* expresses no preference.
      match: (accepted) =>
        accepted.toSorted((a, b) => b.q - a.q).find(({ type }) => type !== "*/*")?.type ?? "application/json",
    });
    if (wanted.startsWith("text/html")) return told(c, html);
    return wanted.startsWith("text/plain") || wanted.startsWith("application/openmetrics-text")
      ? prometheus()
      : told(c, json);
  });
  app.get("/metrics", prometheus);
  app.get("/livez", (c) => c.text("alive\n"));
  app.get("/readyz", (c) => {
    const now = view();
    if (isReady(now)) return c.text("ready\n");
    const unread = now.services.filter((service) => service.readAtMs === 0).map((service) => service.service);
    return c.text(
      `not ready: ${escaped(now.problem) || `no wish was read yet for ${unread.join(", ")}; ZooKeeper is ${now.zookeeper.state} (${now.zookeeper.detail})`}\n`,
      503,
    );
  });
  app.get("/logs/:service/:build/:step", async (c) => {
    const { service, build, step } = c.req.param();
    if (!isKnownName(hostOf(c.req.raw), [view().host, ...aliases])) {
      return c.text("Cannot show a log: ask for it by the address of this host, or by its name in deployd.\n", 403);
    }
    const lines = linesIn(c.req.query("lines"));
    if (lines === null) {
      return c.text(`Cannot show a log: lines is a whole number from 1 to ${MOST_LINES}.\n`, 400);
    }
    const found = await logsOfStep(logs, service, build, step);
    if (found.length > 0) return c.text(endOfLogs(found, lines), 200, logHeaders(view().host));
    const names = await logs.names(service, build);
    const there = names.length === 0 ? "" : ` of ${names.join(", ")}`;
    const text = `There is no such log here${there === "" ? "" : `; there are those${there}`}.\n`;
    return c.text(text, 404, logHeaders(view().host));
  });
  if (page === null) serveAssets(app);
  else app.route("/", page);
  app.onError((error, c) => c.text(`${escaped(error.message)}\n`, 500, logHeaders(view().host)));
  app.notFound((c) =>
    c.text(
      `This port serves ${page === null ? "" : "the fleet at /, "}/status, /metrics, /livez, /readyz and /logs/SERVICE/BUILD/STEP.\n`,
      404,
    ),
  );
  return app;
}

const noLogs: StepLogs = { names: async () => [], read: async () => null };

/** How many lines are asked for; null where that is no number of lines. */
function linesIn(text: string | undefined): number | null {
  if (text === undefined) return DEFAULT_LINES;
  const lines = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return lines >= 1 && lines <= MOST_LINES ? lines : null;
}

/** Whose log it is: whoever asks may have reached another host by this address. */
function logHeaders(host: string): Record<string, string> {
  return { "deployd-host": host, "cache-control": "no-store", "x-content-type-options": "nosniff" };
}
