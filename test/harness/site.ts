import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** One build of the sample site: a small HTTP server, its page, and what deployd has to know about it. */
export interface Site {
  readonly id: string;
  /** What it answers; `page of <id>` unless given. A page that begins with "sick" makes every answer a 500. */
  readonly page?: string;
  /** Install steps. */
  readonly install?: readonly string[];
  readonly installTimeoutS?: number;
  readonly installAttempts?: number;
  /** Lines before the server is started, in the start command. */
  readonly beforeStart?: string;
  /** Lines after the server is started, in the start command. */
  readonly afterStart?: string;
  /** Instead of the whole deployd.toml; null for none. */
  readonly recipe?: string | null;
  readonly files?: Readonly<Record<string, string>>;
  /** Instead of the command that stops it; null for none. */
  readonly stop?: string | null;
  /** Seconds until the service must be healthy; 10 unless given. */
  readonly checkDeadlineS?: number;
}

function pageOf(site: Site): string {
  return site.page ?? `page of ${site.id}`;
}

/** What a host that serves the build answers over HTTP. */
export function answerOf(site: Site): string {
  return `200 ${pageOf(site)}`;
}

/** Writes the build's tree into `directory`. */
export async function writeSite(site: Site, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await copyFile(join(import.meta.dir, "site_server.mjs"), join(directory, "server.mjs"));
  await writeFile(join(directory, "page.txt"), `${pageOf(site)}\n`);
  const recipe = site.recipe === undefined ? siteRecipe(site) : site.recipe;
  if (recipe !== null) await writeFile(join(directory, "deployd.toml"), recipe);
  for (const [name, text] of Object.entries(site.files ?? {})) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
}

/**
 * Ends the process that the pid file names, when it is this host's: a number may have become somebody else's. It has
 * ended when its environment is gone; its number may stay taken for as long as process 1 likes.
 */
export const STOP_SITE = `
pid=$(cat "$DEPLOYD_SHARED/run/pid" 2>/dev/null) || exit 0
runs() { tr '\\0' '\\n' < "/proc/$pid/environ" 2>/dev/null | grep -qxF "DEPLOYD_ROOT=$DEPLOYD_ROOT"; }
runs && kill "$pid" 2>/dev/null
while runs; do sleep 0.02; done
`;

const START_SITE = `cd "$DEPLOYD_CURRENT" && "$NODE" server.mjs >> "$DEPLOYD_SHARED/run/server.log" 2>&1 &`;

function siteRecipe(site: Omit<Site, "id">): string {
  return `[install]
steps = ${JSON.stringify(site.install ?? [])}
timeout_s = ${site.installTimeoutS ?? 30}
attempts = ${site.installAttempts ?? 3}
shared = ["run"]

[restart]
by = "command"
${site.stop === null ? "" : `stop = '''${site.stop ?? STOP_SITE}'''`}
start = '''
${site.beforeStart ?? ""}
${START_SITE}
${site.afterStart ?? ""}
'''
timeout_s = 20

[check]
http = "http://127.0.0.1:\${PORT}/health"
interval_s = 0.05
deadline_s = ${site.checkDeadlineS ?? 10}
successes = 2
`;
}
