import { chmod, copyFile, lchown, lstat, lutimes, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import { join } from "node:path";

/**
 * Copies a tree that only the agent can access to a place that only it can access, with owners, permissions and times.
 * The tree may contain what an archive may contain: directories, files and links.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  const stat = await lstat(from);
  if (stat.isDirectory()) {
    await mkdir(to, { mode: 0o700 });
    for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name));
  } else if (stat.isSymbolicLink()) {
    await symlink(await readlink(from), to);
  } else if (stat.isFile()) {
    await copyFile(from, to);
  } else {
    throw new Error(`"${from}" is neither a directory nor a file nor a link`);
  }
  // The owner is set before the mode, because changing the owner removes setuid.
  if (process.geteuid?.() === 0) await lchown(to, stat.uid, stat.gid);
  if (!stat.isSymbolicLink()) await chmod(to, stat.mode & 0o7777);
  await lutimes(to, stat.atime, stat.mtime);
}
