import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What stands at each path of a directory: type, mode, whole seconds of a file's mtime, content or target. */
export function describeTree(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  describeBelow(root, "", found);
  return found;
}

/** A walk of its own: Bun's recursive readdir follows symlinks. */
function describeBelow(root: string, parent: string, found: Record<string, string>): void {
  for (const name of readdirSync(`${root}/${parent}`).sort()) {
    const relative = parent === "" ? name : `${parent}/${name}`;
    const path = `${root}/${relative}`;
    const stat = lstatSync(path);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) found[relative] = `-> ${readlinkSync(path)}`;
    else if (stat.isDirectory()) {
      found[relative] = `directory ${mode}`;
      describeBelow(root, relative, found);
    } else {
      const digest = new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
      found[relative] = `file ${mode} ${Math.floor(stat.mtimeMs / 1000)} ${stat.size} ${digest}`;
    }
  }
}
