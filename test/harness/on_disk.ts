import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";

/** What changes on a host when anything is deployed: what is current and since when, and everything that lies beside it. */
export async function onDisk(root: string): Promise<unknown> {
  const link = join(root, "current");
  const releases = (await readdir(join(root, "releases"))).toSorted();
  return [await readlink(link), (await stat(link)).ctimeMs, releases];
}
