import { afterAll, beforeAll, expect, test } from "bun:test";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { deploydBinary } from "../harness/binary.ts";
import { TestBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/eventually.ts";
import { Fleet } from "../harness/fleet.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import type { Site } from "../harness/site.ts";

let zookeeper: SharedZooKeeper;
let fleet: Fleet;
let browser: TestBrowser;
let url: string;

const v1: Site = { id: "v1" };
const bad: Site = { id: "bad", page: "sick", checkDeadlineS: 2 };

beforeAll(async () => {
  zookeeper = await sharedZooKeeper();
  fleet = await Fleet.open({ hosts: 3, zookeeper: zookeeper.connectString });
  await fleet.begin(true);
  for (const site of [v1, bad]) await fleet.addSite(site);
  await fleet.ok("deploy", "web", "v1");
  url = await fleet.host(1).statusUrl();
  browser = await TestBrowser.open();
}, HOOK_MS);
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
  await zookeeper.stop();
}, HOOK_MS);

/** What axe finds that keeps somebody from using the page. */
async function barriers(page: Page): Promise<string[]> {
  // Evaluated from outside: the page's own policy lets no script in.
  await page.evaluate(axe.source);
  const found = await page.evaluate(() =>
    (
      globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
    ).axe.run(),
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

test(
  "a deploy is seen on the page as it goes, without it being asked for again",
  async () => {
    const page = await browser.page(`${url}/services/web`);
    await page.getByText("● live").waitFor();
    expect(await page.locator("#hosts tbody tr").count()).toBe(3);
    // Who has it open is not taken to another page.
    await page.evaluate(() => void ((globalThis as { isSame?: boolean }).isSame = true));
    const deploy = await fleet.exits(3, "deploy", "web", "bad", "--why", "to see it fail");
    expect(deploy.stdout).toContain("halted");
    await page.getByText("halted", { exact: true }).first().waitFor();
    await page.locator(".failure", { hasText: "http 500" }).waitFor();
    await page.locator("#past").getByText("to see it fail").waitFor();
    await fleet.ok("rollback", "web");
    await page.getByText("rolled back", { exact: true }).first().waitFor();
    expect(await page.evaluate(() => (globalThis as { isSame?: boolean }).isSame)).toBe(true);
    expect(await page.title()).toBe("web bad rolled back · deployd");
    expect(browser.complaints).toEqual([]);
    await page.context().close();
  },
  TEST_MS,
);

test(
  "from the fleet to a service, a host and a deploy it is a click each, and every address can be shared",
  async () => {
    const page = await browser.page(url);
    await page.locator("h2 a").first().click();
    await page.waitForURL("**/services/web");
    await page.locator("#hosts").getByRole("link", { name: "web-2" }).click();
    await page.waitForURL("**/services/web/hosts/web-2");
    expect(await page.locator(".lines").textContent()).toContain("web-2");
    await page.goBack();
    await page.locator("#past a").first().click();
    await page.waitForURL("**/services/web/deploys/*");
    const shared = await browser.page(page.url());
    expect(await shared.locator("#body").textContent()).toContain(await page.locator("#body h2").first().innerText());
    await shared.locator("svg.timeline .timeline-area").first().waitFor({ state: "attached" });
    expect(await barriers(shared)).toEqual([]);
    expect(browser.complaints).toEqual([]);
    await shared.context().close();
    await page.context().close();
  },
  TEST_MS,
);

test(
  "the page is without barriers in the light and in the dark, on a desk and on a phone, where nothing is wider than it",
  async () => {
    const desk = { width: 1200, height: 900 };
    const phone = { width: 360, height: 740 };
    for (const [path, colorScheme, viewport] of [
      ["/services/web", "light", desk],
      ["/services/web", "dark", phone],
      ["/", "dark", desk],
      ["/services/web/hosts/web-1", "light", phone],
      ["/status", "light", phone],
    ] as const) {
      const page = await browser.page(`${url}${path}`, { colorScheme, viewport });
      expect({ path, colorScheme, barriers: await barriers(page) }).toEqual({ path, colorScheme, barriers: [] });
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(viewport.width);
      await page.context().close();
    }
  },
  TEST_MS,
);

test(
  "without JavaScript the page is a snapshot with a link to look again, and its filter works",
  async () => {
    const page = await browser.page(`${url}/services/web`, { javaScriptEnabled: false });
    await page.getByText("A snapshot").waitFor();
    expect(await page.locator("#hosts tbody tr").count()).toBe(3);
    await page.getByRole("searchbox").fill("web-2");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL("**/services/web?q=web-2");
    expect(await page.locator("#hosts tbody tr").count()).toBe(1);
    await page.getByRole("link", { name: "look again" }).click();
    expect(page.url()).toEndWith("/services/web?q=web-2");
    await page.context().close();
  },
  TEST_MS,
);

test(
  "a browser that asks a host for its status gets a page that leads to the fleet",
  async () => {
    const page = await browser.page(`${url}/status`);
    expect(await page.locator("main").textContent()).toContain("ZooKeeper connected");
    await page.getByRole("link", { name: "fleet" }).click();
    await page.waitForURL(`${url}/`);
    await page.context().close();
  },
  TEST_MS,
);

test(
  "a page that has its own name resolve to this machine is shown nothing",
  async () => {
    for (const path of ["/", "/services/web", "/events?page=/"]) {
      const answer = await fetch(`${url}${path}`, { headers: { host: "evil.example" } });
      expect(answer.status).toBe(403);
      expect(await answer.text()).toContain("names = [");
    }
  },
  TEST_MS,
);

test(
  "a page whose agent is away says that it may be old",
  async () => {
    const page = await browser.page(url);
    await page.getByText("● live").waitFor();
    await fleet.host(1).stop();
    await page.getByText("not connected: what you see may be old").waitFor();
    await page.context().close();
    await fleet.host(1).start();
    url = await fleet.host(1).statusUrl();
  },
  TEST_MS,
);

test(
  "ctl serve shows the same from wherever ctl runs, until it is interrupted",
  async () => {
    const child = Bun.spawn([await deploydBinary(), "ctl", "serve", "--listen", "127.0.0.1:0", "--json"], {
      env: { DEPLOYD_ZOOKEEPER: fleet.zookeeper, DEPLOYD_CHROOT: fleet.chroot },
      stdin: "ignore",
      stdout: "pipe",
    });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { url: served } = JSON.parse((await reader.read()).value ?? "") as { url: string };
    const page = await browser.page(`${served}services/web`);
    await page.getByText("● live").waitFor();
    expect(await page.locator("#hosts tbody tr").count()).toBe(3);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    await page.context().close();
    await eventually(async () => ((await fetch(served).catch(() => null)) === null ? true : null));
  },
  TEST_MS,
);
