import { dlopen, FFIType, read } from "bun:ffi";
import { DeployError } from "../core/errors.ts";

/** The few C library calls that Bun has no function for. Each returns -1 on failure; see `errno`. */
const CALLS = {
  flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  poll: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  pipe2: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
  syncfs: { args: [FFIType.i32], returns: FFIType.i32 },
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  sendto: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i64,
  },
  // Variadic: each argument is as wide as a register. Used for calls that not every C library wraps.
  syscall: {
    args: [FFIType.i64, FFIType.i64, FFIType.ptr, FFIType.i64, FFIType.ptr, FFIType.i64],
    returns: FFIType.i64,
  },
  __errno_location: { args: [], returns: FFIType.ptr },
} as const;

const MUSL_ARCH: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** glibc's name, then musl's: a compiled binary runs with either. */
const NAMES = ["libc.so.6", `libc.musl-${MUSL_ARCH[process.arch] ?? process.arch}.so.1`];

function open(): Libc {
  const failures: string[] = [];
  for (const name of NAMES) {
    try {
      return dlopen(name, CALLS).symbols;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new DeployError(`Cannot load the C library (${NAMES.join(", ")}): ${failures.join("; ")}.`, {
    code: "internal",
    hint: "Under systemd, MemoryDenyWriteExecute= must be off: the JavaScript engine needs such memory.",
  });
}

export type Libc = ReturnType<typeof dlopen<typeof CALLS>>["symbols"];

let loaded: Libc | undefined;

/** @throws DeployError `internal` if no C library is found under a known name */
export function libc(): Libc {
  loaded ??= open();
  return loaded;
}

/** The error number of the last call; read it before calling anything else. */
export function errno(): number {
  const { __errno_location: location } = libc();
  const at = location();
  return at === null ? 0 : read.i32(at);
}
