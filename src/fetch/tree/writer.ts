import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  realpathSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import type { DeployError } from "../../core/errors.ts";
import { errorCodeOf, writeError } from "../../support/file_error.ts";
import type { Owner } from "../../support/command.ts";
import type { Pace } from "../../support/pace.ts";
import { hostileArchive } from "../tar/fields.ts";
import type { TarEntry, TarSink } from "../tar/reader.ts";
import { type Admitted, type UnpackLimits, type Top, TreeRules } from "./rules.ts";

// An existing file, or a link in its place, is never opened: every name in an archive is new.
const CREATE_ONLY = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const MODE_MASK = 0o755;
const PERMISSIONS = 0o7777;
const DIRECTORY_MIN = 0o700;
const FILE_MIN = 0o400;
const MAX_MTIME_SECONDS = 2 ** 33;

/**
 * Writes the entries of an archive under a root that was empty. It uses synchronous calls, because for builds of many
 * small files they cost a tenth of the asynchronous ones; the caller paces it.
 */
export class TreeWriter implements TarSink, Disposable {
  readonly #root: string;
  readonly #rules: TreeRules;
  readonly #owner: Owner | undefined;
  readonly #symlinks: string[] = [];
  #file: { readonly fd: number; readonly path: string; readonly mtimeSeconds: number } | undefined;
  /** Bits of a file's mode that it is known to be created with here: no umask and no default ACL (acl(5)) removes them. */
  #keptBits = 0;
  #writtenBytes = 0;

  /** @param root absolute, with no symlink in it */
  constructor(root: string, limits: UnpackLimits, owner: Owner | undefined) {
    this.#root = root;
    this.#rules = new TreeRules(limits);
    this.#owner = owner;
  }

  get entries(): number {
    return this.#rules.entries;
  }

  get bytes(): number {
    return this.#writtenBytes;
  }

  get top(): Top | null {
    return this.#rules.top;
  }

  entry(entry: TarEntry): void {
    const admitted = this.#rules.admit(entry);
    if (admitted === null) return;
    try {
      for (const parent of admitted.missing) this.#createDirectory(`${this.#root}/${parent}`, MODE_MASK);
      this.#create(admitted, entry);
    } catch (error) {
      throw this.#explain(error, admitted.path);
    }
  }

  data(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      let at = 0;
      while (at < bytes.length) {
        const written = writeSync(file.fd, bytes, at, bytes.length - at);
        at += written;
        this.#writtenBytes += written;
      }
    } catch (error) {
      throw this.#explain(error, file.path);
    }
  }

  endOfFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    const seconds = Math.min(Math.max(file.mtimeSeconds, 0), MAX_MTIME_SECONDS);
    futimesSync(file.fd, seconds, seconds);
    this.#file = undefined;
    closeSync(file.fd);
  }

  /**
   * Resolves each link by the kernel, now that the tree is complete. The rules already keep links inside the tree; this
   * is a second check of the same property. A link to nothing is allowed.
   */
  async requireLinksInside(pace: Pace): Promise<void> {
    for (const path of this.#symlinks) {
      await pace.breathe();
      const real = realpathOrNothing(`${this.#root}/${path}`);
      if (real !== undefined && real !== this.#root && !real.startsWith(`${this.#root}/`)) {
        throw hostileArchive(path, "the link leads out of the release");
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #create({ path, again, linked }: Admitted, entry: TarEntry): void {
    const absolute = `${this.#root}/${path}`;
    switch (entry.kind) {
      case "file":
        return this.#createFile(path, absolute, entry);
      case "directory": {
        const mode = (entry.mode & MODE_MASK) | DIRECTORY_MIN;
        if (again) chmodSync(absolute, mode);
        else this.#createDirectory(absolute, mode);
        return;
      }
      case "symlink":
        symlinkSync(entry.target, absolute);
        if (this.#owner !== undefined) lchownSync(absolute, this.#owner.uid, this.#owner.gid);
        this.#symlinks.push(path);
        return;
      case "hardlink":
        linkSync(`${this.#root}/${linked}`, absolute);
        return;
    }
  }

  #createFile(path: string, absolute: string, entry: TarEntry & { kind: "file" }): void {
    const mode = (entry.mode & MODE_MASK) | FILE_MIN;
    const fd = openSync(absolute, CREATE_ONLY, mode);
    this.#file = { fd, path, mtimeSeconds: entry.mtimeSeconds };
    if (this.#owner !== undefined) fchownSync(fd, this.#owner.uid, this.#owner.gid);
    if ((mode & ~this.#keptBits) === 0) return;
    if ((fstatSync(fd).mode & PERMISSIONS) === mode) this.#keptBits |= mode;
    else fchmodSync(fd, mode);
  }

  #createDirectory(absolute: string, mode: number): void {
    mkdirSync(absolute, { mode: DIRECTORY_MIN });
    if (this.#owner !== undefined) lchownSync(absolute, this.#owner.uid, this.#owner.gid);
    // The mode is set afterwards, because the process's umask would remove bits from mkdir's mode.
    if (mode !== DIRECTORY_MIN) chmodSync(absolute, mode);
  }

  #explain(error: unknown, path: string): DeployError {
    switch (errorCodeOf(error)) {
      case "EEXIST":
      case "ELOOP":
      case "ENOTDIR":
      case "ENAMETOOLONG":
        return hostileArchive(path, `the file system refuses the name (${errorCodeOf(error)})`);
      default:
        return writeError("Cannot unpack the archive", `${this.#root}/${path}`, this.#writtenBytes, error);
    }
  }
}

function realpathOrNothing(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    const code = errorCodeOf(error);
    // ENOENT and ENOTDIR: the link dangles. ELOOP: a circle of links. Neither leads anywhere.
    if (code === "ENOENT" || code === "ELOOP" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
