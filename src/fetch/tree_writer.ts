import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  realpathSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import type { DeployError } from "../core/errors.ts";
import { asDiskError, systemCode } from "./disk_error.ts";
import { checkLinkTarget, checkPath } from "./entry_rules.ts";
import type { Pace } from "./pace.ts";
import { hostileArchive } from "./tar_fields.ts";
import type { TarEntry, TarSink } from "./tar_reader.ts";

/** Bounds on the unpacked tree; take them from the signed manifest, which has the exact numbers. */
export interface ExtractLimits {
  /** Sum of the sizes of all files, in bytes. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

type Known = "file" | "symlink" | "directory" | "implied-directory";

// A file that exists, or a link in its place, is never opened: the archive says everything once.
const CREATE_ONLY = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const MODE_MASK = 0o755;
const DIRECTORY_MIN = 0o700;
const FILE_MIN = 0o400;
const MAX_MTIME_SECONDS = 2 ** 33;

/**
 * Writes the entries of an archive under a root that was empty. It writes with synchronous calls, as these cost a tenth
 * of the asynchronous ones on builds of many small files; the caller paces it.
 */
export class TreeWriter implements TarSink, Disposable {
  readonly #root: string;
  readonly #limits: ExtractLimits;
  readonly #owner: Owner | undefined;
  /** What this archive has made so far. As the root was empty, it is also all there is. */
  readonly #known = new Map<string, Known>([["", "directory"]]);
  readonly #symlinks: string[] = [];
  #file: { readonly fd: number; readonly path: string; readonly mtimeSeconds: number } | undefined;
  #entries = 0;
  #promisedBytes = 0;
  #writtenBytes = 0;

  /** @param root absolute, with no symlink in it */
  constructor(root: string, limits: ExtractLimits, owner: Owner | undefined) {
    this.#root = root;
    this.#limits = limits;
    this.#owner = owner;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#writtenBytes;
  }

  entry(entry: TarEntry): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      throw hostileArchive(entry.path, `it is one entry more than the ${this.#limits.maxEntries} that were announced`);
    }
    const verdict = checkPath(entry.path, entry.kind === "directory" ? "directory" : "other");
    if (!verdict.ok) throw hostileArchive(entry.path, verdict.why);
    const path = verdict.path;
    if (path === "") return;
    const known = this.#known.get(path);
    if (known !== undefined && !(known === "implied-directory" && entry.kind === "directory")) {
      throw hostileArchive(entry.path, `the archive already has a ${known.replace("implied-", "")} of this name`);
    }
    try {
      this.#ensureParent(path, entry.path);
      this.#create(path, entry);
    } catch (error) {
      throw this.#explain(error, path);
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
   * Asks the kernel where each link leads, now that the tree is complete. The rules above already keep links inside;
   * this is the second lock on the same door. A link to nothing is allowed.
   */
  async verifyLinks(pace: Pace): Promise<void> {
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

  #create(path: string, entry: TarEntry): void {
    const absolute = `${this.#root}/${path}`;
    switch (entry.kind) {
      case "file":
        return this.#createFile(path, absolute, entry);
      case "directory": {
        const mode = (entry.mode & MODE_MASK) | DIRECTORY_MIN;
        if (this.#known.has(path)) chmodSync(absolute, mode);
        else this.#createDirectory(absolute, mode);
        this.#known.set(path, "directory");
        return;
      }
      case "symlink": {
        const verdict = checkLinkTarget(path, entry.target);
        if (!verdict.ok) throw hostileArchive(entry.path, verdict.why);
        symlinkSync(entry.target, absolute);
        if (this.#owner !== undefined) lchownSync(absolute, this.#owner.uid, this.#owner.gid);
        this.#known.set(path, "symlink");
        this.#symlinks.push(path);
        return;
      }
      case "hardlink": {
        const verdict = checkPath(entry.target, "other");
        if (!verdict.ok) throw hostileArchive(entry.path, `it is a hard link to "${entry.target}": ${verdict.why}`);
        if (this.#known.get(verdict.path) !== "file") {
          throw hostileArchive(entry.path, `it is a hard link to "${entry.target}", which is no file unpacked before`);
        }
        linkSync(`${this.#root}/${verdict.path}`, absolute);
        this.#known.set(path, "file");
        return;
      }
    }
  }

  #createFile(path: string, absolute: string, entry: TarEntry & { kind: "file" }): void {
    this.#promisedBytes += entry.size;
    if (this.#promisedBytes > this.#limits.maxBytes) {
      throw hostileArchive(
        entry.path,
        `with its ${entry.size} bytes the tree has more than the ${this.#limits.maxBytes} bytes that were announced`,
      );
    }
    const fd = openSync(absolute, CREATE_ONLY, 0o600);
    this.#file = { fd, path, mtimeSeconds: entry.mtimeSeconds };
    this.#known.set(path, "file");
    if (this.#owner !== undefined) fchownSync(fd, this.#owner.uid, this.#owner.gid);
    fchmodSync(fd, (entry.mode & MODE_MASK) | FILE_MIN);
  }

  #createDirectory(absolute: string, mode: number): void {
    mkdirSync(absolute, { mode: DIRECTORY_MIN });
    if (this.#owner !== undefined) lchownSync(absolute, this.#owner.uid, this.#owner.gid);
    // Set afterwards, as the process's umask would take bits away from mkdir's mode.
    if (mode !== DIRECTORY_MIN) chmodSync(absolute, mode);
  }

  /** Makes the directories above `path` that the archive has not named, and refuses to go through anything else. */
  #ensureParent(path: string, named: string): void {
    const slash = path.lastIndexOf("/");
    if (slash === -1) return;
    const missing: string[] = [];
    for (let end = slash; end !== -1; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end);
      const known = this.#known.get(parent);
      if (known === "file" || known === "symlink") {
        throw hostileArchive(named, `"${parent}" above it is a ${known}`);
      }
      if (known !== undefined) break;
      missing.push(parent);
    }
    for (const parent of missing.toReversed()) {
      this.#createDirectory(`${this.#root}/${parent}`, MODE_MASK);
      this.#known.set(parent, "implied-directory");
    }
  }

  #explain(error: unknown, path: string): DeployError {
    switch (systemCode(error)) {
      case "EEXIST":
      case "ELOOP":
      case "ENOTDIR":
      case "ENAMETOOLONG":
        return hostileArchive(path, `the file system refuses the name (${systemCode(error)})`);
      default:
        return asDiskError(error, "Cannot unpack the archive", `${this.#root}/${path}`, this.#writtenBytes);
    }
  }
}

function realpathOrNothing(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    const code = systemCode(error);
    // ENOENT and ENOTDIR: it dangles. ELOOP: links in a circle. Neither leads anywhere.
    if (code === "ENOENT" || code === "ELOOP" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
