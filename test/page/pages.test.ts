import { describe, expect, test } from "bun:test";
import { addressIn, hrefOf, type PageAddress } from "../../src/page/address.ts";
import { contentOf } from "../../src/page/content.tsx";
import { pageDocument } from "../../src/page/document.tsx";
import { shownHosts } from "../../src/monitor/model.ts";
import { STATE_SIGNS } from "../../src/view/host_state.ts";
import { pulseOf } from "../../src/view/pulse.ts";
import { headlineOf } from "../../src/view/service_lines.ts";
import { expectGolden } from "../harness/golden.ts";
import { longFailure, MOMENTS } from "../monitor/moments.ts";
import { scene } from "../view/scenes.ts";
import { fleetAt, fleetOf } from "./fleet_seen.ts";

const SIZE = { columns: 160, rows: 48 };
const service: PageAddress = { kind: "service", service: "web", filter: "" };

function pageAt(moment: string, address: PageAddress): string {
  const model = MOMENTS[moment]?.(SIZE);
  if (model === undefined) throw new Error(`there is no moment ${moment}`);
  return pageDocument({ address, content: contentOf(address, fleetAt(model), model.nowMs), version: "0.1.0" });
}

/** What is read of it, a line for each block. */
function textOf(html: string): string {
  return html
    .replace(/<head>.*?<\/head>/s, "")
    .replace(/<\/(?:p|li|tr|h\d|section|header|figure|article|form)>|<pre[^>]*>|<\/pre>/g, "\n")
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&")
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "")
    .join("\n");
}

/** Every element that is opened is closed, no id is there twice, and nothing is in it that the page's policy forbids. */
function faultsIn(html: string): string[] {
  const faults: string[] = [];
  const open: string[] = [];
  for (const [whole, slash, name = ""] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
    if (/^(?:meta|link|input|br)$/.test(name) || whole.endsWith("/>")) continue;
    if (slash === "") open.push(name);
    else if (open.pop() !== name) faults.push(`${whole} closes something else`);
  }
  const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
  if (new Set(ids).size !== ids.length) faults.push("an id is there twice");
  if (open.length > 0) faults.push(`${open.join()} is left open`);
  if (/<[^>]*\s(?:style|on[a-z]+)=|<script(?![^>]*\ssrc=")|<style/.test(html))
    faults.push("it has a style or a script in it");
  if (/(?:src|href)="(?:[a-z]+:|\/\/)/.test(html)) faults.push("it needs something from elsewhere");
  if (/\bundefined\b|\[object|NaN/.test(html)) faults.push("it shows what is no text");
  return faults;
}

const addresses: readonly PageAddress[] = [
  { kind: "fleet" },
  service,
  { kind: "service", service: "web", filter: "fail" },
  { kind: "host", service: "web", host: "web-02" },
  { kind: "deploy", service: "web", deploy: "20260701-115000-ab12" },
];

describe.each(Object.keys(MOMENTS))("at the moment %s", (moment) => {
  test.each(addresses.map((address) => [hrefOf(address), address] as const))(
    "%s is whole, and its own",
    (_href, address) => {
      const html = pageAt(moment, address);
      expect(faultsIn(html)).toEqual([]);
      for (const [, href = ""] of html.matchAll(/<a [^>]*href="([^"]*)"/g))
        expect(addressIn(href.replaceAll("&amp;", "&"))).not.toBeNull();
    },
  );

  test("the page of the service says what the monitor says", () => {
    const model = MOMENTS[moment]?.(SIZE);
    const { watched = null } = model ?? {};
    if (model === undefined || watched === null || watched.view === null || watched.overview.service !== "web") return;
    const now = new Date(model.link.kind === "away" ? model.link.sinceMs : model.nowMs);
    const text = textOf(pageAt(moment, service));
    const { facts } = headlineOf(
      watched,
      watched.view,
      pulseOf(watched.view, watched.overview.waits, watched.moved, now),
      now,
    );
    for (const { long } of facts) expect(text).toContain(long.text);
    for (const [state, of] of watched.counts)
      expect(text).toContain(`${STATE_SIGNS[state].glyph} ${of} ${STATE_SIGNS[state].word}`);
    const hosts = shownHosts({ watched, filter: "" });
    if (hosts.length <= 60) for (const { host } of hosts) expect(text).toContain(host);
  });
});

test.each(["rolling", "halted", "zookeeper-gone", "going-back", "ill", "services", "nothing-deployed"])(
  "the page of the fleet at the moment %s reads as it did",
  async (moment) => {
    await expectGolden(moment, textOf(pageAt(moment, { kind: "fleet" })), "page");
  },
);

test("what matters of a failure is never cut", () => {
  const text = textOf(pageAt("halted", service));
  expect(text).toContain(longFailure.sentence.trim());
  expect(text).toContain(longFailure.lastLogLine);
});

test("a filter shows the hosts that have its words, and says of how many", () => {
  const text = textOf(pageAt("200-hosts", { kind: "service", service: "web", filter: "eu-b fail" }));
  expect(text).toContain("1 of 200");
  expect(textOf(pageAt("200-hosts", { kind: "service", service: "web", filter: "nowhere" }))).toContain(
    "No host has “nowhere” in its name, zone, role, state or build.",
  );
});

test("a fleet of thousands is one page that can be sent", () => {
  const html = pageAt("5000-hosts", service);
  expect(html.length).toBeLessThan(250_000);
  // The worst of them are named, and lead to their own pages.
  expect(textOf(html)).toContain("40 of 2551 hosts that are neither done nor waiting, the worst first");
  expect(html).toContain('href="/services/web/hosts/web-0014"');
});

test("what others have written is text, whatever is in it", () => {
  const evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>';
  const error = { code: "check-failed", message: evil, hint: evil, build: "9b1e0d4", step: "check" as const };
  const overview = scene(
    { who: evil, why: evil },
    { "web-01": { status: { step: "failed", error, log: `${evil}\n` }, failure: {} }, "web-02": {} },
  );
  for (const address of addresses) {
    const html = pageDocument({
      address,
      content: contentOf(address, fleetOf(overview), Date.parse("2026-07-01T12:00:00Z")),
      version: "0.1.0",
    });
    expect(html).not.toContain("<script>alert");
    expect(html).not.toContain("<img");
    expect(faultsIn(html)).toEqual([]);
  }
});

test.each([
  ["/", { kind: "fleet" }],
  ["/services/web", { kind: "service", service: "web", filter: "" }],
  ["/services/web?q=eu-a%20fail", { kind: "service", service: "web", filter: "eu-a fail" }],
  ["/services/web/hosts/a%2Fb", { kind: "host", service: "web", host: "a/b" }],
  ["/services/web/deploys/d1", { kind: "deploy", service: "web", deploy: "d1" }],
])("%s is the address of a page, and the other way round", (href, address) => {
  expect(addressIn(href)).toEqual(address as PageAddress);
  expect(hrefOf(address as PageAddress)).toBe(href);
});

test.each([
  "",
  "/services",
  "/services/",
  "/services/web/",
  "/services/web/hosts",
  "/services/web/hosts/a/b",
  "/services/%ff",
  "//elsewhere/",
  "/other",
])("%s is the address of nothing", (href) => {
  expect(addressIn(href)).toBeNull();
});
