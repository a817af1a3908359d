import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { HeldLock } from "../machine/lock.ts";
import { fileError } from "../support/file_error.ts";
import { libc } from "./libc.ts";

/** flock(2), from <sys/file.h>. */
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the lock file until it is released or this process ends. It uses the kernel's flock, so a killed holder frees it
 * at once and no pid has to be trusted: the pid in the file is only for people. Child processes do not hold the lock.
 *
 * @throws DeployError `already-running` naming the holder's pid and the file
 */
export async function acquireLock(path: string): Promise<HeldLock> {
  const fd = await openLockFile(path);
  try {
    if (libc().flock(fd, LOCK_EX | LOCK_NB) !== 0) throw heldByOther(path, fd);
    // Somebody may have removed the file between open and flock: then nobody else would ever compete for this lock.
    if (isStillAt(path, fd)) {
      nameHolder(fd);
      return heldLock(fd);
    }
  } catch (error) {
    closeSync(fd);
    throw fileError(`Cannot lock "${path}"`, error);
  }
  closeSync(fd);
  return await acquireLock(path);
}

/** Overwrites the old content, which needs no space on a full disk. If the write fails, the lock is held without a name. */
function nameHolder(fd: number): void {
  try {
    ftruncateSync(fd, writeSync(fd, `${process.pid}\n`, 0));
  } catch {
    ftruncateSync(fd, 0);
  }
}

function heldLock(fd: number): HeldLock {
  let held = true;
  const release = async (): Promise<void> => {
    if (!held) return;
    held = false;
    // The file stays: if it were removed, two processes could hold locks on two files of the same name.
    closeSync(fd);
  };
  return { release, [Symbol.asyncDispose]: release };
}

/**
 * A plain descriptor, not a FileHandle: a FileHandle is closed when it is garbage collected, and the lock would be free.
 */
async function openLockFile(path: string): Promise<number> {
  try {
    await mkdir(dirname(path), { recursive: true });
    // The runtime opens all files close-on-exec, so no child holds the lock.
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  } catch (error) {
    throw fileError(`Cannot open the lock file "${path}"`, error);
  }
}

function heldByOther(path: string, fd: number): DeployError {
  const pid = readFileSync(fd, "utf8").trim();
  const holder = /^\d+$/.test(pid) ? `process ${pid}` : "another process";
  return new DeployError(`Cannot start: ${holder} holds the lock "${path}".`, {
    code: "already-running",
    hint: "One agent runs on a host for one directory. Stop the other one, or give this one another directory.",
  });
}

function isStillAt(path: string, fd: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const ours = fstatSync(fd);
  return there?.ino === ours.ino && there.dev === ours.dev;
}
