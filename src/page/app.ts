import { Hono, type Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { Clock } from "../support/clock.ts";
import type { RequestOrigin } from "../support/http_port.ts";
import { escaped } from "../support/printable.ts";
import type { FleetFeed } from "../watch/fleet_feed.ts";
import { addressIn, type PageAddress } from "./address.ts";
import icon from "./assets/icon.svg" with { type: "text" };
import script from "./assets/live.js" with { type: "text" };
import style from "./assets/style.css" with { type: "text" };
import { contentOf } from "./content.tsx";
import { noteDocument, pageDocument } from "./document.tsx";
import { Updates } from "./updates.ts";
import { hostOf, isKnownName, isWelcome, type VisitorRules } from "./visitors.ts";

export type PageApp = Hono<{ Bindings: RequestOrigin }>;

interface PageOptions {
  readonly feed: FleetFeed;
  readonly clock: Clock;
  readonly version: string;
  readonly rules: VisitorRules;
  /** What a person whom the rules keep out can do. */
  readonly hint: string;
}

/** So many may look at once: each takes some memory of an agent that has other things to do. */
const MOST_LOOKING = 200;

/** Everything that a page needs is its own, and it is nobody else's to show. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** The fleet for a browser: pages, and what changes on them as server-sent events. It changes nothing. */
export function pageApp({ feed, clock, version, rules, hint }: PageOptions): PageApp {
  const app: PageApp = new Hono();
  const updates = new Updates(feed, clock);
  let looking = 0;

  const refused = (c: Context): Response | null => {
    const host = hostOf(c.req.raw);
    if (!isKnownName(host, rules.names)) {
      const said = `Cannot show the fleet to "${escaped(host)}": this page is not known by that name.`;
      return c.text(`${said} Ask for it by an address; or ${hint}.\n`, 403, PAGE_HEADERS);
    }
    // A page elsewhere could not read it, and would keep a stream open all the same.
    if (c.req.header("sec-fetch-site") === "cross-site" && c.req.header("sec-fetch-mode") !== "navigate")
      return c.text("Cannot show the fleet to another site's page.\n", 403, PAGE_HEADERS);
    const peer = (c.env as RequestOrigin | undefined)?.peer;
    if (!isWelcome(peer, rules.from)) {
      return c.text(`Cannot show the fleet to ${peer ?? "you"}: ${hint}.\n`, 403, PAGE_HEADERS);
    }
    return null;
  };

  const show = async (c: Context, address: PageAddress): Promise<Response> => {
    const fleet = await feed.glance(c.req.raw.signal);
    const timeline = address.kind === "deploy" ? await feed.timeline(address.service, address.deploy) : undefined;
    const content = contentOf(address, fleet, clock.now(), timeline);
    const code = fleet.reading === 0 ? 503 : content.isThere ? 200 : 404;
    return c.html(pageDocument({ address, content, version }), code, PAGE_HEADERS);
  };

  const page = (c: Context): Response | Promise<Response> => {
    const no = refused(c);
    if (no !== null) return no;
    const { pathname, search } = new URL(c.req.url);
    const address = addressIn(`${pathname}${search}`);
    if (address === null)
      return c.html(
        noteDocument("nothing here", "There is no such page. The fleet is at /.", version),
        404,
        PAGE_HEADERS,
      );
    return show(c, address);
  };
  app.get("/", page);
  app.get("/services/*", page);

  app.get("/events", (c) => {
    const no = refused(c);
    if (no !== null) return no;
    const address = addressIn(c.req.query("page") ?? "");
    if (address === null)
      return c.text("Cannot tell what is new: page is the path of a page, as in /.\n", 400, PAGE_HEADERS);
    if (looking >= MOST_LOOKING) {
      return c.text(`Cannot show more: ${MOST_LOOKING} are looking already. Try again later.\n`, 503, {
        ...PAGE_HEADERS,
        "retry-after": "30",
      });
    }
    // Nobody would read what is told, and nobody would end it.
    if (c.req.method === "HEAD") return c.body(null, 200, PAGE_HEADERS);
    for (const [name, value] of Object.entries(PAGE_HEADERS)) c.header(name, value);
    // A proxy that gathers what it passes on would tell everything late.
    c.header("x-accel-buffering", "no");
    return streamSSE(c, async (stream) => {
      const gone = new AbortController();
      stream.onAbort(() => gone.abort());
      looking += 1;
      try {
        for await (const update of updates.of(address, AbortSignal.any([gone.signal, c.req.raw.signal]))) {
          await stream.writeSSE({ event: "update", data: JSON.stringify(update) });
        }
      } finally {
        looking -= 1;
      }
    });
  });

  serveAssets(app);
  app.onError((error, c) => c.text(`${escaped(error.message)}\n`, 500, PAGE_HEADERS));
  return app;
}

/** What every page of this port is made with. */
export function serveAssets(app: PageApp): void {
  const asset = (type: string, text: string) => (c: Context) =>
    c.body(text, 200, { ...PAGE_HEADERS, "content-type": type, "cache-control": "public, max-age=3600" });
  app.get("/page.css", asset("text/css; charset=utf-8", style));
  app.get("/page.js", asset("text/javascript; charset=utf-8", script));
  app.get("/page.svg", asset("image/svg+xml", icon));
}
