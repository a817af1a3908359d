import { constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { fetchFailed } from "../fetch_error.ts";
import { errorCodeOf } from "../../support/file_error.ts";
import { printable } from "../../support/printable.ts";
import { refusedSource, requireAllowedFile } from "./policy.ts";
import type { Answer, Source, SourceContext } from "./source.ts";

const READ_BYTES = 512 * 1024;
/** Errors of a network file system whose server is unreachable; they may be transient. */
const PASSING = new Set(["EIO", "ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "EREMOTEIO"]);

/**
 * Files on this host, `file:///an/absolute/path`. They are always read from the first byte, because they have no
 * validator that tells one version from another.
 */
export function fileSource({ sources }: Pick<SourceContext, "sources">): Source {
  return {
    open: (url, _from, signal) => openFile(url, sources, signal),
    explain: async (error) => {
      const code = errorCodeOf(error) ?? "wrong file URL";
      return {
        why: `the file cannot be read (${code})`,
        hint: "Look whether it is there, and whether the agent's user may read it.",
        retry: PASSING.has(code),
      };
    },
  };
}

async function openFile(url: URL, sources: readonly string[], signal: AbortSignal): Promise<Answer> {
  const path = await requireAllowedFile(url, sources);
  // Opened without blocking, so that a fifo in the file's place cannot block the agent.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    // A user with write access may have replaced a directory by a link since the check.
    if ((await readlink(`/proc/self/fd/${file.fd}`)) !== path) {
      throw refusedSource(url, `it is no longer the file ${printable(path)} that was checked`);
    }
    const found = await file.stat();
    if (!found.isFile()) throw fetchFailed(url, "it is not a regular file", { retry: false, hint: "Fix the URL." });
    return {
      url,
      brings: "the whole",
      size: found.size,
      mayGrow: true,
      validator: null,
      coding: "",
      bytes: bytesOf(file, signal),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* bytesOf(file: FileHandle, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let at = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
