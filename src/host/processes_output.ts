import { closeSync, constants, fchownSync, fstatSync, ftruncateSync, readSync } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DeployError } from "../core/errors.ts";
import { every, type Clock } from "../support/clock.ts";
import type { CommandRequest } from "../support/command.ts";
import { outputTail } from "../support/ring.ts";
import { errorCodeOf, fileError } from "../support/file_error.ts";
import { errno, libc } from "./libc.ts";

/** Where a command's output goes while it runs. */
export interface CommandOutput extends AsyncDisposable {
  /** For the child's stdout and stderr. */
  readonly fd: number;
  /** To be called when the child has its copy of `fd`. */
  started(): void;
  /**
   * To be called when the command has ended: collects the remaining output, and returns its tail and why the log is
   * incomplete, if it is.
   */
  finish(): Promise<{ readonly tail: string; readonly lost: DeployError | null }>;
}

const TAIL_BYTES = 2048;
const NEWLINE = 0x0a;

/** How long output may still arrive after every process that could write it was killed, in milliseconds. */
const DRAIN_MS = 1000;

/** O_CLOEXEC: no other command that is started meanwhile may keep this pipe open. */
const PIPE_CLOEXEC = 0o2000000;

/** Never follows a link in the file's place, and never blocks on a pipe that nobody reads. */
const IN_PLACE = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/**
 * Appends even after a fresh start, so that two writers (a service left running, the next attempt) never overwrite each
 * other.
 */
const LOG = IN_PLACE | constants.O_CREAT | constants.O_APPEND;

/** Errors of a disk that accepts no new file now, but may later. */
const SICK_DISK: ReadonlySet<string | null> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO"]);

interface OpenLog {
  readonly file: FileHandle;
  readonly startBytes: number;
  /** Why the output is discarded; null if it is kept. */
  readonly lost: DeployError | null;
}

/**
 * A disk without room for a log must not keep a command from running: the command may be what frees space or brings a
 * service back.
 */
async function openCommandLog(request: CommandRequest): Promise<OpenLog> {
  try {
    await mkdir(dirname(request.logFile), { recursive: true });
    const file = await open(request.logFile, LOG, 0o640);
    if (request.log !== "append") await file.truncate(0);
    return { file, startBytes: (await file.stat()).size, lost: null };
  } catch (error) {
    const failure = fileError(`Cannot open the log "${request.logFile}"`, error);
    if (!SICK_DISK.has(errorCodeOf(error))) throw failure;
    return { file: await open("/dev/null", "r+"), startBytes: 0, lost: failure };
  }
}

function cutLine(maxBytes: number): string {
  return `\n… output cut at ${maxBytes} bytes\n`;
}

/**
 * Output of a command whose processes all end with it. It goes through a pipe, so that not one byte over the limit
 * reaches the disk. It is a real pipe and not Bun's "pipe", which is a socket: /dev/stderr cannot be opened on a socket,
 * and the two streams would lose their order.
 */
export async function pipedOutput(request: CommandRequest, clock: Clock): Promise<CommandOutput> {
  const opened = await openCommandLog(request);
  const { file } = opened;
  let { lost } = opened;
  const ends = new Int32Array(2);
  if (libc().pipe2(ends, PIPE_CLOEXEC) !== 0) {
    await file.close();
    throw new DeployError(`Cannot make a pipe for the output of a command: errno ${errno()}.`, { code: "internal" });
  }
  const [readEnd = -1, writeEnd = -1] = ends;
  giveTo(request, writeEnd);
  let writeEndOpen = true;
  const closeWriteEnd = (): void => {
    if (writeEndOpen) closeSync(writeEnd);
    writeEndOpen = false;
  };
  const tail = outputTail(TAIL_BYTES);
  const reader = Bun.file(readEnd).stream().getReader();
  let drained: Promise<void> = Promise.resolve();

  const drain = async (): Promise<void> => {
    let total = 0;
    const log = async (bytes: Uint8Array | string): Promise<void> => {
      // The pipe is still read if the disk is full: otherwise the command would block in its next write.
      if (lost !== null) return;
      await file.appendFile(bytes).catch((error: unknown) => {
        lost = fileError(`Cannot write the log "${request.logFile}"`, error);
      });
    };
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const room = request.maxLogBytes - total;
      total += value.length;
      tail.push(value);
      if (room > 0) await log(value.subarray(0, room));
      if (room >= 0 && total > request.maxLogBytes) await log(cutLine(request.maxLogBytes));
    }
    if (total > request.maxLogBytes) await log(`… ${total} bytes were written in all\n`);
  };

  return {
    fd: writeEnd,
    started: () => {
      closeWriteEnd();
      drained = drain();
    },
    finish: async () => {
      const cancel = clock.after(DRAIN_MS, () => void reader.cancel());
      try {
        await drained;
      } finally {
        cancel();
      }
      return { tail: tail.text(), lost };
    },
    [Symbol.asyncDispose]: async () => {
      closeWriteEnd();
      await reader.cancel();
      closeSync(readEnd);
      await file.close();
    },
  };
}

/** How often the log of a start command is cut back to its limit, in milliseconds. */
const TRIM_MS = 100;
/**
 * How much longer than its limit it may be until the command has ended, in bytes. What is written between the last look at
 * its end and the cut is lost: only a flood is worth that, and not the last words of a command.
 */
const SLACK_BYTES = 4 * 1024 * 1024;

/**
 * Output of a command that leaves a service behind: it goes straight into the log file. A pipe would end with the agent,
 * and the service with its next line of output (SIGPIPE). While the command runs, the file is cut back to the limit;
 * afterwards the service is its only writer, and `trimLog` limits the file.
 */
export async function directOutput(request: CommandRequest, clock: Clock): Promise<CommandOutput> {
  const { file, startBytes, lost } = await openCommandLog(request);
  if (lost !== null) return thrownAway(file, lost);
  giveTo(request, file.fd);
  const limit = startBytes + request.maxLogBytes;
  let tail = outputTail(TAIL_BYTES);
  let cut = false;

  const readTail = (): number => {
    const { size } = fstatSync(file.fd);
    const from = Math.min(size, Math.max(startBytes, size - TAIL_BYTES));
    const bytes = new Uint8Array(size - from);
    const read = readSync(file.fd, bytes, 0, bytes.length, from);
    tail = outputTail(TAIL_BYTES);
    // One byte more than fits, to mark the first line as cut.
    if (from > startBytes) tail.push(new Uint8Array(1));
    tail.push(bytes.subarray(0, read));
    return size;
  };
  // Nothing is awaited between reading and cutting, because what is written in between is lost.
  const look = (slackBytes: number): void => {
    try {
      let size = readTail();
      for (let again = 0; again < 3 && fstatSync(file.fd).size > size; again++) size = readTail();
      if (size <= limit + slackBytes) return;
      ftruncateSync(file.fd, limit);
      cut = true;
    } catch {
      // A log on a failing disk must not fail the start of a service.
    }
  };
  const stopLooking = every(clock, TRIM_MS, () => look(SLACK_BYTES));

  return {
    fd: file.fd,
    started: () => {},
    finish: async () => {
      stopLooking();
      look(0);
      if (cut) await file.appendFile(cutLine(request.maxLogBytes)).catch(() => {});
      return { tail: tail.text(), lost: null };
    },
    [Symbol.asyncDispose]: async () => {
      stopLooking();
      await file.close();
    },
  };
}

/** A process that the command left behind can write only there for as long as it lives. */
function thrownAway(file: FileHandle, lost: DeployError): CommandOutput {
  return {
    fd: file.fd,
    started: () => {},
    finish: async () => ({ tail: "", lost }),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** Opening /dev/stderr requires permission on the file behind it, which otherwise belongs to the agent. */
function giveTo(request: CommandRequest, fd: number): void {
  if (request.user === undefined || process.getuid?.() !== 0) return;
  try {
    fchownSync(fd, request.user.uid, request.user.gid);
  } catch {
    // Without the right to change the owner only that opening fails; plain output does not need it.
  }
}

/**
 * Cuts a log that a running service writes to back to its newest half once it exceeds the limit. Safe at any time,
 * because every writer appends; lines written at the moment of the cut are lost.
 */
export async function trimLog(path: string, maxBytes: number): Promise<void> {
  try {
    await using file = await open(path, IN_PLACE);
    const { size } = await file.stat();
    if (size <= maxBytes) return;
    const keep = Math.floor(maxBytes / 2);
    const { bytesRead, buffer } = await file.read(new Uint8Array(keep), 0, keep, size - keep);
    const from = buffer.indexOf(NEWLINE) + 1;
    await file.truncate(0);
    await using appending = await open(path, LOG);
    await appending.appendFile(buffer.subarray(from, bytesRead));
  } catch (error) {
    if (errorCodeOf(error) !== "ENOENT") throw error;
  }
}
