import { closeSync, openSync } from "node:fs";
import { DeployError } from "../core/errors.ts";
import { printable } from "../support/printable.ts";
import { libc } from "./libc.ts";

/**
 * Flushes the file system that holds `path` to the disk, with one syncfs(2) instead of an fsync per file. Call it after
 * unpacking and before the rename that makes a release visible.
 *
 * `sync -f` of coreutils does it in a separate process: the call may take seconds, and in this process it would block the
 * event loop, and with it the ZooKeeper session. Hosts without it get the blocking call.
 *
 * @throws DeployError `internal` if the kernel reports that data could not be written
 */
export async function syncTree(path: string): Promise<void> {
  const program = Bun.which("sync", { PATH: "/usr/bin:/bin" });
  if (program !== null) {
    await using child = Bun.spawn([program, "-f", path], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      env: {},
    });
    const [code, text] = await Promise.all([child.exited, child.stderr.text()]);
    if (code === 0) return;
    // An old busybox does not know -f; any other complaint is about the disk.
    if (!/invalid option|unrecognized option/.test(text)) throw flushFailed(path, text.trim());
  }
  syncfs(path);
}

function syncfs(path: string): void {
  const fd = openSync(path, "r");
  try {
    if (libc().syncfs(fd) !== 0) throw flushFailed(path, "syncfs failed");
  } finally {
    closeSync(fd);
  }
}

function flushFailed(path: string, why: string): DeployError {
  return new DeployError(`Cannot flush ${printable(path)} to the disk: ${printable(why)}.`, {
    code: "internal",
    hint: "Look for disk errors in the kernel's log.",
    retry: true,
  });
}
