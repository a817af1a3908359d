import { Hono } from "hono";
import { accepts } from "hono/accepts";
import { escaped, printableJson } from "../support/printable.ts";
import type { Metrics } from "./metrics.ts";
import { isReady, type AgentStatus } from "./agent_status.ts";

const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * The read-only status port. `/status` answers in the format that the Accept header asks for: Prometheus names its text
 * format first, while curl and scripts accept anything and get JSON. `?format=json
 * prometheus` decides where no header can be set.
 */
export function statusApp(view: () => AgentStatus, metrics: Metrics): Hono {
  const app = new Hono();
  const prometheus = async () =>
    new Response(await metrics.text(), { headers: { "content-type": PROMETHEUS_TYPE, vary: "Accept" } });
  const json = () =>
    new Response(printableJson(JSON.stringify({ schema: "deployd.status/1", ...view() })), {
      headers: { "content-type": "application/json;charset=utf-8", vary: "Accept", "cache-control": "no-store" },
    });

  app.get("/status", (c) => {
    const format = c.req.query("format");
    if (format === "json") return json();
    if (format === "prometheus") return prometheus();
    if (format !== undefined) {
      return c.text(`Cannot show the status as "${format}": the formats are json and prometheus.\n`, 400);
    }
    const wanted = accepts(c, {
      header: "Accept",
      supports: ["application/json", "text/plain", "application/openmetrics-text"],
      default: "application/json",
      // The most preferred type decides; a bare */* expresses no preference.
      match: (accepted) =>
        accepted.toSorted((a, b) => b.q - a.q).find(({ type }) => type !== "*/*")?.type ?? "application/json",
    });
    return wanted.startsWith("text/plain") || wanted.startsWith("application/openmetrics-text") ? prometheus() : json();
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
  app.notFound((c) => c.text("This port serves /status, /metrics, /livez and /readyz.\n", 404));
  return app;
}
