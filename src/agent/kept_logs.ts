import { join } from "node:path";
import { buildId } from "../schema/names.ts";
import type { StepLogs } from "../status/step_logs.ts";
import type { Files } from "../steps/files.ts";
import { LOG_ENDING, type Layout } from "../steps/layout.ts";

/**
 * The logs of this host's services, for the status port. What is asked for is compared with what lies there, and never made
 * into a path before that, so that nothing outside the log directories can be named.
 */
export function keptLogs(layouts: ReadonlyMap<string, Pick<Layout, "logs" | "log">>, files: Files): StepLogs {
  const names = async (service: string, build: string): Promise<readonly string[]> => {
    const layout = layouts.get(service);
    if (layout === undefined || !buildId.safeParse(build).success) return [];
    const directory = join(layout.logs, build);
    // A link in its place would lead elsewhere.
    if ((await files.look(directory))?.kind !== "directory") return [];
    const found = await files.list(directory);
    return found.filter((name) => name.endsWith(LOG_ENDING)).map((name) => name.slice(0, -LOG_ENDING.length));
  };
  return {
    names,
    read: async (service, build, name) => {
      const layout = layouts.get(service);
      if (layout === undefined || !(await names(service, build)).includes(name)) return null;
      return files.readUnlinked(layout.log(build, name));
    },
  };
}
