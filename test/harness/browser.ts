import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

/** As root there is no sandbox to be had; and nothing of the browser's own may ask for anything outside this machine. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The Chromium that Debian packages, without a screen. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #dir: string;
  /** What a page has complained about: an error of a script, something that its policy has forbidden or that was not there. */
  readonly complaints: string[] = [];

  private constructor(browser: Browser, dir: string) {
    this.#browser = browser;
    this.#dir = dir;
  }

  static async open(): Promise<TestBrowser> {
    const dir = await mkdtemp(join(tmpdir(), "deployd-browser-"));
    const env = { ...process.env, HOME: dir, XDG_CONFIG_HOME: dir, XDG_CACHE_HOME: dir } as Record<string, string>;
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGS, env });
    return new TestBrowser(browser, dir);
  }

  async page(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext(options);
    const page = await context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
