import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Site } from "../harness/site.ts";

/** The sample site's server, asked from outside its host's network. */
const server = (await readFile(join(import.meta.dir, "../harness/site_server.mjs"), "utf8")).replace(
  '"127.0.0.1"',
  '"0.0.0.0"',
);

export function goodSite(id: string): Site {
  return { id, files: { "server.mjs": server } };
}

/** It starts, and answers every question with a 500. */
export function sickSite(id: string): Site {
  return { ...goodSite(id), page: `sick ${id}`, checkDeadlineS: 2 };
}

/**
 * Its start ends every process of the host at once, the agent and itself among them, as a kernel panic would. NETWORK is the
 * network namespace that is the host.
 */
export function hostKillingSite(id: string): Site {
  return { ...goodSite(id), beforeStart: 'ip netns pids "$NETWORK" | xargs kill -9' };
}

/** What hosts answer that serve these builds. */
export const buildIn = (answer: string): string | null => /^\d+ (?:page of|sick) (\S+)$/.exec(answer)?.[1] ?? null;
