const TEXTS = {
  ENOENT: "no such file or directory",
  EEXIST: "file already exists",
  ENOTDIR: "not a directory",
  EISDIR: "illegal operation on a directory",
  ENOTEMPTY: "directory not empty",
  EINVAL: "invalid argument",
  ELOOP: "too many symbolic links encountered",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
  EBADF: "bad file descriptor",
  ESRCH: "no such process",
  ECONNRESET: "connection reset by peer",
  EPERM: "operation not permitted",
} as const;

export type SystemCode = keyof typeof TEXTS;

/** An error as the runtime makes them of what the kernel says. */
export function systemError(code: SystemCode, call: string, subject: string): Error & { readonly code: SystemCode } {
  return Object.assign(new Error(`${code}: ${TEXTS[code]}, ${call} '${subject}'`), { code, syscall: call });
}
