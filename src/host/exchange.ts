import { constants } from "node:os";
import { errno, libc } from "./libc.ts";

/** The system call number of renameat2(2), which musl does not wrap. */
const RENAMEAT2: Readonly<Record<string, number>> = { x64: 316, arm64: 276 };
/** From <fcntl.h> and <linux/fs.h>. */
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

const NAMES = Object.entries(constants.errno);

/**
 * Swaps the entries at two names atomically.
 *
 * @throws the system's error; EINVAL or ENOSYS if the file system or the kernel does not support it
 */
export function exchange(path: string, other: string): void {
  const number = RENAMEAT2[process.arch];
  if (number === undefined) throw notExchanged("ENOSYS", path, other);
  const [from, to] = [nulEnded(path), nulEnded(other)];
  const answer = libc().syscall(number, AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
  if (Number(answer) === 0) return;
  const code = errno();
  throw notExchanged(NAMES.find(([, value]) => value === code)?.[0] ?? `errno ${code}`, path, other);
}

function nulEnded(path: string): Buffer {
  return Buffer.from(`${path}\0`);
}

function notExchanged(code: string, path: string, other: string): Error {
  return Object.assign(new Error(`${code}: cannot exchange '${path}' and '${other}'`), { code, syscall: "renameat2" });
}
