import { basename, dirname, join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { Disk, DiskEntry, GivenTree, HeldDirectory } from "../machine/disk.ts";
import type { Owner } from "../support/command.ts";
import type { Clock } from "../support/clock.ts";
import { errorCodeOf, naming } from "../support/file_error.ts";

/** The form of temporary names, by which what a crash left behind is recognised. */
const TEMP_NAME = /^\..+\.[0-9a-f]{12}\.tmp$/;
const TEMP_BYTES = 6;

/** What was found at a path where a link is expected. */
export type LinkFound =
  | { readonly kind: "absent" }
  /** `target` as written in the link. `changedAtMs`: when it was made, in milliseconds since the epoch. */
  | { readonly kind: "link"; readonly target: string; readonly changedAtMs: number }
  | { readonly kind: "foreign"; readonly what: "directory" | "file" | "other" };

/**
 * The disk as the ladder uses it: each change is made as a whole or not at all, even when a kill or a power cut comes in
 * the middle. Every failure is a DeployError that names the path: `disk-full`, or `internal`.
 */
export class Files {
  readonly #disk: Disk;
  readonly #clock: Pick<Clock, "randomBytes">;

  /** @param clock its random bytes make names that nobody else uses */
  constructor(disk: Disk, clock: Pick<Clock, "randomBytes">) {
    this.#disk = disk;
    this.#clock = clock;
  }

  /**
   * Replaces the file as a whole: after a crash or a power cut there is either the old content or the new.
   *
   * @param mode permissions of the file, 0o644 unless given
   */
  async writeAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
    const temp = this.#tempBeside(path);
    await naming(`Cannot write "${path}"`, async () => {
      try {
        {
          await using file = await this.#disk.createFile(temp, mode);
          await file.write(data);
          await file.sync();
        }
        await this.#disk.rename(temp, path);
        await this.#disk.syncDirectory(dirname(path));
      } catch (error) {
        await this.#disk.removeFile(temp).catch(() => {});
        throw error;
      }
    });
  }

  /**
   * Overwrites a file in place and flushes it. Only for a file that nobody reads, since a kill in the middle leaves half
   * of it.
   *
   * @returns false where there is no such file with this name only and at least the length of `text`
   */
  async writeOver(path: string, text: string): Promise<boolean> {
    return naming(`Cannot write "${path}"`, async () => {
      const opened = await this.#disk.openInPlace(path);
      if (opened === null) return false;
      await using file = opened;
      const bytes = Buffer.from(text);
      if (file.size < bytes.length) return false;
      await file.write(bytes);
      await file.sync();
      return true;
    });
  }

  /** Makes a file of this many bytes; nobody reads it, and it may be lost in a power cut. */
  async fill(path: string, bytes: number): Promise<void> {
    await naming(`Cannot write "${path}"`, async () => {
      await using file = await this.#disk.createFile(path, 0o600);
      await file.write(new Uint8Array(bytes));
    });
  }

  /**
   * Moves what is at `from` to `path`, in one step and durably. What was at `path` is at `from` then or, where the file
   * system cannot exchange two names, removed.
   */
  async exchangeDurably(from: string, path: string): Promise<void> {
    await naming(`Cannot exchange "${from}" and "${path}"`, async () => {
      try {
        await this.#disk.exchange(from, path);
      } catch {
        // There may be nothing at `path`. Any other problem makes the rename fail as well, and its error says more.
        await this.#disk.rename(from, path);
      }
      await this.#disk.syncDirectory(dirname(path));
    });
  }

  /** The file's text, or null when there is no such file. A link in its place is followed. */
  async readIfThere(path: string): Promise<string | null> {
    return (await this.readWithTime(path))?.text ?? null;
  }

  /** The text of a file that others may have put there; a link in its place is not followed. */
  async readUnlinked(path: string): Promise<string | null> {
    const found = await naming(`Cannot read "${path}"`, () => this.#disk.readText(path, { follow: false }));
    return found?.text ?? null;
  }

  /** The file's text and the time of its last change (milliseconds since the epoch), or null when there is none. */
  async readWithTime(path: string): Promise<{ text: string; changedAtMs: number } | null> {
    return naming(`Cannot read "${path}"`, () => this.#disk.readText(path, { follow: true }));
  }

  async look(path: string): Promise<DiskEntry | null> {
    return naming(`Cannot look at "${path}"`, () => this.#disk.look(path));
  }

  async kindOf(path: string): Promise<"absent" | DiskEntry["kind"]> {
    return (await this.look(path))?.kind ?? "absent";
  }

  /** Bytes of a file, or null when there is none. */
  async sizeOf(path: string): Promise<number | null> {
    return (await this.look(path))?.size ?? null;
  }

  async readLink(path: string): Promise<LinkFound> {
    const found = await this.look(path);
    if (found === null) return { kind: "absent" };
    if (found.kind === "link") {
      return { kind: "link", target: await this.linkTarget(path), changedAtMs: found.changedAtMs };
    }
    return { kind: "foreign", what: found.kind };
  }

  async linkTarget(path: string): Promise<string> {
    return naming(`Cannot read the link "${path}"`, () => this.#disk.readLink(path));
  }

  async makeLink(path: string, target: string): Promise<void> {
    await naming(`Cannot link "${path}" to "${target}"`, () => this.#disk.makeLink(path, target));
  }

  /**
   * Points `link` at `target` in one step: a reader sees the old release or the new one, never neither. A link that
   * points there already keeps its time.
   *
   * @param prepared a link beside it; where it points at `target`, it is renamed to `link`, which takes no disk space
   * @throws DeployError `current-not-a-link` when something else is there, which is left as it is
   */
  async flip(link: string, target: string, prepared: string | null = null): Promise<void> {
    const found = await this.readLink(link);
    switch (found.kind) {
      case "foreign":
        throw new DeployError(`Cannot point "${link}" at "${target}": it is a ${found.what}, not a symbolic link.`, {
          code: "current-not-a-link",
          hint: `Move it away (mv ${link} ${link}.old); deployd replaces only links that it has made.`,
        });
      case "link":
        if (found.target === target) return this.#linkSynced(link);
        break;
      case "absent":
        break;
    }
    const ready = prepared === null ? null : await this.readLink(prepared);
    await naming(`Cannot point "${link}" at "${target}"`, async () => {
      if (prepared !== null && ready?.kind === "link" && ready.target === target) {
        return this.#disk.rename(prepared, link);
      }
      const temp = this.#tempBeside(link);
      try {
        await this.#disk.makeLink(temp, target);
        await this.#disk.rename(temp, link);
      } catch (error) {
        await this.#disk.removeFile(temp).catch(() => {});
        throw error;
      }
    });
    await this.#linkSynced(link);
  }

  /** Renames and flushes the directory, so that the new name survives a power cut. */
  async renameDurably(from: string, to: string): Promise<void> {
    await naming(`Cannot rename "${from}" to "${to}"`, async () => {
      await this.#disk.rename(from, to);
      await this.#disk.syncDirectory(dirname(to));
    });
  }

  async makeDirectory(path: string, mode?: number): Promise<void> {
    await naming(`Cannot make the directory "${path}"`, () => this.#disk.makeDirectory(path, mode));
  }

  /** Removes a file or a tree; symbolic links in it are removed, never followed. It is no error when nothing is there. */
  async removeTree(path: string): Promise<void> {
    await naming(`Cannot remove "${path}"`, () => this.#disk.removeTree(path));
  }

  /**
   * What is at `path` below a directory that others may write to: no link on the way is followed. "blocked" means that
   * something above it is not a directory.
   */
  async kindBelow(root: string, path: string): Promise<"absent" | "blocked" | DiskEntry["kind"]> {
    return naming(`Cannot look at "${join(root, path)}"`, async () => {
      try {
        await using held = await this.#holdParent(root, path, false);
        return (await held.look(basename(path)))?.kind ?? "absent";
      } catch (error) {
        const code = errorCodeOf(error);
        if (code === "ENOENT") return "absent";
        if (code === "ENOTDIR" || code === "ELOOP") return "blocked";
        throw error;
      }
    });
  }

  /** Moves `from`, which only the agent can reach, to a `path` below such a directory, durably, and makes its parents. */
  async moveBelow(from: string, root: string, path: string): Promise<void> {
    await naming(`Cannot move "${from}" to "${join(root, path)}"`, async () => {
      await using held = await this.#holdParent(root, path, true);
      await held.take(from, basename(path));
      await held.sync();
    });
  }

  /** The names in a directory; empty where it does not exist. */
  async list(path: string): Promise<readonly string[]> {
    return (await naming(`Cannot list "${path}"`, () => this.#disk.list(path))) ?? [];
  }

  async giveTree(path: string, from: Owner, to: Owner): Promise<GivenTree> {
    return naming(`Cannot give "${path}" to user ${to.uid}`, () => this.#disk.giveTree(path, from, to));
  }

  async giveTo(path: string, owner: Owner): Promise<void> {
    await naming(`Cannot give "${path}" to user ${owner.uid}`, () => this.#disk.giveTo(path, owner));
  }

  async makePublic(path: string): Promise<void> {
    await naming(`Cannot change the mode of "${path}"`, () => this.#disk.setMode(path, 0o755));
  }

  async freeBytes(path: string): Promise<number> {
    return naming(`Cannot ask for the free space of "${path}"`, () => this.#disk.freeBytes(path));
  }

  /** Flushes a directory, so that the names in it survive a power cut. */
  async syncDirectory(path: string): Promise<void> {
    await naming(`Cannot flush "${path}" to the disk`, () => this.#disk.syncDirectory(path));
  }

  async syncTree(path: string): Promise<void> {
    await naming(`Cannot flush "${path}" to the disk`, () => this.#disk.syncTree(path));
  }

  async trimLog(path: string, maxBytes: number): Promise<void> {
    await naming(`Cannot cut the log "${path}"`, () => this.#disk.trimLog(path, maxBytes));
  }

  /**
   * Removes from `dir` the temporary files that killed writes and flips left. Call it only while nobody else writes
   * there.
   */
  async sweepTemps(dir: string): Promise<void> {
    for (const name of await this.list(dir)) {
      if (!TEMP_NAME.test(name)) continue;
      await naming(`Cannot clean up "${dir}"`, () => this.#disk.removeFile(join(dir, name)));
    }
  }

  /** The directory of `path`, held open; each one on the way is opened from the one above it. */
  async #holdParent(root: string, path: string, make: boolean): Promise<HeldDirectory> {
    let held = await this.#disk.openDirectory(root);
    for (const name of dirname(path).split("/")) {
      if (name === "" || name === ".") continue;
      await using above = held;
      if (make) await above.makeDirectory(name);
      held = await above.open(name);
    }
    return held;
  }

  /** Flushes also when the link was right already: the flip before may have been killed between its rename and this. */
  async #linkSynced(link: string): Promise<void> {
    await naming(`Cannot bring the link "${link}" to the disk`, () => this.#disk.syncDirectory(dirname(link)));
  }

  /** A name beside `path` that nobody else uses: `.current.0123456789ab.tmp` for `current`. */
  #tempBeside(path: string): string {
    const unique = Buffer.from(this.#clock.randomBytes(TEMP_BYTES)).toString("hex");
    return join(dirname(path), `.${basename(path)}.${unique}.tmp`);
  }
}
