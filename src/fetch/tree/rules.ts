import { checkLinkTarget, checkPath, type Ruling } from "./entry_rules.ts";
import { hostileArchive } from "../tar/fields.ts";
import type { TarEntry } from "../tar/reader.ts";

/** Limits for the unpacked tree; take them from the signed manifest, which has the exact numbers. */
export interface UnpackLimits {
  /** Sum of the sizes of all files, in bytes. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

export type Known = "file" | "symlink" | "directory" | "implied-directory";

/** The one directory that everything in an archive lies in. */
export interface Top {
  readonly name: string;
  /** Why its content cannot be a tree of its own; null if it can. */
  readonly against: { readonly path: string; readonly why: string; readonly hint?: string } | null;
}

/** What to create for an entry that the rules admit. */
export interface Admitted {
  readonly path: string;
  /** The directories above it that are not in the archive, from the top down. */
  readonly missing: readonly string[];
  /** True if it is a directory that exists already. */
  readonly again: boolean;
  /** For a hard link: the file that was unpacked before and that it links to. */
  readonly linked: string;
}

const TWICE_HINT =
  "Make the archive again by one run of tar -c: tar -r and tar -u append what is in it already, and " +
  "find . | tar -T - takes each directory whole and then its files once more unless --no-recursion is given.";

const HARD_LINK_HINT =
  "Make the archive again with both names in it, or by GNU tar with --hard-dereference, which makes a file of each.";

/**
 * What the entries of an archive may be, checked one after the other: all of the rules, without a disk. They are used
 * both to unpack an archive and to find out whether a host would unpack it.
 */
export class TreeRules {
  readonly #limits: UnpackLimits;
  /** What this archive has so far. The root was empty, so nothing else exists in it. */
  readonly #known = new Map<string, Known>([["", "directory"]]);
  #entries = 0;
  #bytes = 0;
  /** Undefined before the first entry, null once there is a second name at the top. */
  #top: string | null | undefined;
  #against: Top["against"] = null;

  constructor(limits: UnpackLimits) {
    this.#limits = limits;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Sum of the sizes of all files so far, according to their headers. */
  get bytes(): number {
    return this.#bytes;
  }

  get top(): Top | null {
    return typeof this.#top === "string" ? { name: this.#top, against: this.#against } : null;
  }

  get known(): ReadonlyMap<string, Known> {
    return this.#known;
  }

  /**
   * @returns null for the root itself, which exists
   * @throws DeployError `archive-hostile`
   */
  admit(entry: TarEntry): Admitted | null {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      throw hostileArchive(entry.path, `it is one entry more than the ${this.#limits.maxEntries} that were announced`);
    }
    const path = passed(entry.path, checkPath(entry.path, entry.kind === "directory" ? "directory" : "other"));
    if (path === "") return null;
    const known = this.#known.get(path);
    const again = known !== undefined && known.endsWith("directory") && entry.kind === "directory";
    if (known !== undefined && !again) {
      const why = `the archive already has a ${known.replace("implied-", "")} of this name`;
      throw hostileArchive(entry.path, why, TWICE_HINT);
    }
    const missing = this.#missingAbove(path, entry.path);
    const linked = this.#checkContent(path, entry);
    for (const parent of missing) this.#known.set(parent, "implied-directory");
    this.#known.set(path, entry.kind === "hardlink" ? "file" : entry.kind);
    this.#watchTop(path, entry);
    return { path, missing, again, linked };
  }

  #checkContent(path: string, entry: TarEntry): string {
    switch (entry.kind) {
      case "directory":
        return "";
      case "file":
        this.#bytes += entry.size;
        if (this.#bytes <= this.#limits.maxBytes) return "";
        throw hostileArchive(
          entry.path,
          `with its ${entry.size} bytes the tree has more than the ${this.#limits.maxBytes} bytes that were announced`,
        );
      case "symlink":
        passed(entry.path, checkLinkTarget(path, entry.target));
        return "";
      case "hardlink": {
        const ruling = checkPath(entry.target, "other");
        const what = `it is a hard link to "${entry.target}"`;
        if (!ruling.ok) throw hostileArchive(entry.path, `${what}: ${ruling.why}`, ruling.hint);
        if (this.#known.get(ruling.path) === "file") return ruling.path;
        throw hostileArchive(entry.path, `${what}, which is not a file unpacked before`, HARD_LINK_HINT);
      }
    }
  }

  /** The directories above `path` that the archive has not listed; throws if anything but a directory is above it. */
  #missingAbove(path: string, named: string): string[] {
    const missing: string[] = [];
    for (let end = path.lastIndexOf("/"); end !== -1; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end);
      const known = this.#known.get(parent);
      if (known === "file" || known === "symlink") {
        throw hostileArchive(named, `"${parent}" above it is a ${known}`);
      }
      if (known !== undefined) break;
      missing.push(parent);
    }
    return missing.reverse();
  }

  /** Tracks whether everything lies in one directory, and what would be refused if that were the root. */
  #watchTop(path: string, entry: TarEntry): void {
    if (this.#top === null) return;
    const slash = path.indexOf("/");
    if (slash === -1) {
      const only = entry.kind === "directory" && (this.#top ?? path) === path;
      this.#top = only ? path : null;
      return;
    }
    this.#top ??= path.slice(0, slash);
    if (slash !== this.#top.length || !path.startsWith(this.#top)) {
      this.#top = null;
      return;
    }
    if (this.#against !== null) return;
    const below = path.slice(slash + 1);
    // All other rules that hold for the longer path hold for the shorter one.
    const rulings = [
      ...(below.startsWith(".") ? [checkPath(below, "other")] : []),
      ...(entry.kind === "symlink" ? [checkLinkTarget(below, entry.target)] : []),
    ];
    const refusal = rulings.find((ruling) => !ruling.ok);
    if (refusal?.ok === false) this.#against = { ...refusal, path };
  }
}

function passed(name: string, ruling: Ruling): string {
  if (ruling.ok) return ruling.path;
  throw hostileArchive(name, ruling.why, ruling.hint);
}
