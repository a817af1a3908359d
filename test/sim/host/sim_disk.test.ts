import { expect, test } from "bun:test";
import { chanceOf } from "../chance.ts";
import { SimDisk } from "./sim_disk.ts";

function diskOf(seed: string): { disk: SimDisk; pass: (ms: number) => void } {
  let nowMs = 0;
  const disk = new SimDisk({ chance: chanceOf(seed), nowMs: () => nowMs, wallMs: () => nowMs + 1_000_000 });
  return { disk, pass: (ms) => (nowMs += ms) };
}

function write(disk: SimDisk, path: string, text: string, isFlushed: boolean): void {
  const file = disk.open(path);
  disk.truncate(file);
  disk.append(file, Buffer.from(text));
  if (isFlushed) disk.flushFile(file);
}

function textAt(disk: SimDisk, path: string): string | null {
  const found = disk.read(path, true);
  return found === null ? null : Buffer.from(found.bytes).toString();
}

/** Everything that a power cut may leave, over many of them. */
function outcomes(prepare: (disk: SimDisk, pass: (ms: number) => void) => void, look: (disk: SimDisk) => unknown) {
  const seen = new Set<unknown>();
  for (let seed = 0; seed < 200; seed += 1) {
    const { disk, pass } = diskOf(`power ${seed}`);
    prepare(disk, pass);
    disk.powerCut();
    seen.add(look(disk));
  }
  return seen;
}

test("a file that was never flushed is old, empty, begun or new after a power cut", () => {
  const seen = outcomes(
    (disk) => {
      write(disk, "/a", "old", true);
      disk.flushAll();
      write(disk, "/a", "a new text", false);
    },
    (disk) => textAt(disk, "/a"),
  );
  expect(seen.has("old")).toBe(true);
  expect(seen.has("")).toBe(true);
  expect(seen.has("a new text")).toBe(true);
  expect(seen.has("a new")).toBe(true);
  expect(seen.has(null)).toBe(false);
});

test("what was flushed stays", () => {
  const prepare = (disk: SimDisk): void => {
    disk.makeDirectory("/d");
    write(disk, "/d/new", "whole", true);
    disk.rename("/d/new", "/d/name");
    disk.flushDirectory("/d");
  };
  expect(outcomes(prepare, (disk) => textAt(disk, "/d/name"))).toEqual(new Set(["whole"]));
});

test("a rename that was not flushed happened or not, and never half", () => {
  const prepare = (disk: SimDisk): void => {
    write(disk, "/name", "old", true);
    write(disk, "/new", "new", true);
    disk.flushAll();
    disk.rename("/new", "/name");
  };
  const look = (disk: SimDisk): string => `${textAt(disk, "/name")}, ${textAt(disk, "/new")}`;
  expect(outcomes(prepare, look)).toEqual(new Set(["old, new", "new, null"]));
});

test("a name may outlive the data that it was given for", () => {
  const prepare = (disk: SimDisk): void => {
    write(disk, "/new", "new", false);
    disk.rename("/new", "/name");
    disk.flushDirectory("/");
  };
  const seen = outcomes(prepare, (disk) => textAt(disk, "/name"));
  expect(seen.has("")).toBe(true);
  expect(seen.has("new")).toBe(true);
  expect(seen.has(null)).toBe(false);
});

test("names are lost from the newest on", () => {
  const names = ["/1", "/2", "/3", "/4"];
  const prepare = (disk: SimDisk): void => {
    for (const name of names) disk.makeDirectory(name);
  };
  const left = outcomes(prepare, (disk) => names.filter((name) => disk.look(name) !== null).join(""));
  expect(left).toEqual(new Set(["", "/1", "/1/2", "/1/2/3", "/1/2/3/4"]));
});

test("a tree that was removed comes back in part, and with what was in it", () => {
  const prepare = (disk: SimDisk): void => {
    disk.makeDirectory("/d");
    write(disk, "/d/a", "a", true);
    write(disk, "/d/b", "b", true);
    disk.flushAll();
    disk.removeTree("/d");
  };
  const look = (disk: SimDisk): string => (disk.list("/d") ?? ["gone"]).toSorted().join("");
  expect(outcomes(prepare, look)).toEqual(new Set(["ab", "b", "", "gone"]));
});

test("the kernel flushes by itself what is old", () => {
  const prepare = (disk: SimDisk, pass: (ms: number) => void): void => {
    disk.makeDirectory("/old");
    write(disk, "/old/a", "a", false);
    pass(60_000);
    disk.makeDirectory("/young");
  };
  expect(outcomes(prepare, (disk) => textAt(disk, "/old/a"))).toEqual(new Set(["a"]));
});

test("what a power cut may leave of a link is known before", () => {
  const { disk } = diskOf("links");
  disk.makeLink("/current", "a");
  disk.flushAll();
  expect([...disk.possibleTargets("/current")]).toEqual(["a"]);
  disk.makeLink("/next", "b");
  disk.rename("/next", "/current");
  expect(disk.possibleTargets("/current")).toEqual(new Set(["b", "a"]));
  disk.flushDirectory("/");
  expect([...disk.possibleTargets("/current")]).toEqual(["b"]);
  expect([...disk.possibleTargets("/nothing")]).toEqual([null]);
});

test("a full disk takes no more bytes and says that it has no room", () => {
  const { disk } = diskOf("full");
  write(disk, "/a", "before", true);
  disk.full = true;
  expect(disk.freeBytes("/")).toBe(0);
  expect(() => disk.makeDirectory("/d")).toThrow("ENOSPC");
  expect(() => disk.append(disk.open("/a"), Buffer.from("more"))).toThrow("ENOSPC");
  disk.removeFile("/a");
  disk.full = false;
  write(disk, "/a", "after", true);
  expect(textAt(disk, "/a")).toBe("after");
});

test("a full disk takes what is written over in place, a rename over a name, and an exchange of two", () => {
  const { disk } = diskOf("in place");
  write(disk, "/a", "aaaa", true);
  write(disk, "/b", "bbbb", true);
  disk.full = true;
  const file = disk.openInPlace("/b");
  if (file === null) throw new Error("it is gone");
  disk.writeOver(file, 0, Buffer.from("BB"));
  disk.writeOver(file, 2, Buffer.from("BB"));
  expect(() => disk.writeOver(file, 2, Buffer.from("BBB"))).toThrow("ENOSPC");
  disk.exchange("/a", "/b");
  expect([textAt(disk, "/a"), textAt(disk, "/b")]).toEqual(["BBBB", "aaaa"]);
  disk.rename("/b", "/a");
  expect([textAt(disk, "/a"), disk.look("/b")]).toEqual(["aaaa", null]);
});

test("what was written over in place and not flushed may be half the old and half the new", () => {
  const seen = outcomes(
    (disk) => {
      write(disk, "/a", "old", true);
      disk.flushAll();
      const file = disk.openInPlace("/a");
      if (file !== null) disk.writeOver(file, 0, Buffer.from("new"));
    },
    (disk) => textAt(disk, "/a"),
  );
  for (const text of ["old", "new", "nld", "ned"]) expect([text, seen.has(text)]).toEqual([text, true]);
});

test("an exchange that was not flushed happened or not, and never half", () => {
  const prepare = (disk: SimDisk): void => {
    write(disk, "/a", "a", true);
    write(disk, "/b", "b", true);
    disk.flushAll();
    disk.exchange("/a", "/b");
  };
  const look = (disk: SimDisk): string => `${textAt(disk, "/a")}, ${textAt(disk, "/b")}`;
  expect(outcomes(prepare, look)).toEqual(new Set(["a, b", "b, a"]));
});

test("a disk that is read-only can be read", () => {
  const { disk } = diskOf("read-only");
  write(disk, "/a", "text", true);
  disk.readOnly = true;
  expect(textAt(disk, "/a")).toBe("text");
  for (const change of [
    () => disk.create("/b"),
    () => disk.rename("/a", "/b"),
    () => disk.removeFile("/a"),
    () => disk.makeDirectory("/d"),
    () => disk.makeLink("/l", "a"),
    () => disk.append(disk.open("/a"), Buffer.from("x")),
  ]) {
    expect(change).toThrow("EROFS");
  }
});

test("a worn disk gives one wrong byte, and keeps the right ones", () => {
  const { disk } = diskOf("damage");
  write(disk, "/a", "aaaa", true);
  disk.damages = (path) => path === "/a";
  expect(Buffer.from(disk.readWorn("/a", true)?.bytes ?? []).toString()).toBe("aa`a");
  disk.damages = () => false;
  expect(Buffer.from(disk.readWorn("/a", true)?.bytes ?? []).toString()).toBe("aaaa");
});
