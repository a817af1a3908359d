import { expect, test } from "bun:test";
import { JuteReader, JuteWriter } from "../../src/zookeeper/wire/jute.ts";
import { OpCode, Xid } from "../../src/zookeeper/wire/opcodes.ts";
import { watchReplay } from "../../src/zookeeper/wire/set_watches.ts";
import { WatchRegistry, type WatchEvent } from "../../src/zookeeper/session/watches.ts";

function registry(): {
  watches: WatchRegistry;
  seen: string[];
  handler: (name: string) => (event: WatchEvent) => void;
} {
  const seen: string[] = [];
  const watches = new WatchRegistry((handler, type, path) => void handler({ type, path }));
  return { watches, seen, handler: (name) => (event) => void seen.push(`${name} ${event.type} ${event.path}`) };
}

function reached(type: "created" | "deleted" | "data-changed" | "children-changed"): string {
  const { watches, seen, handler } = registry();
  for (const kind of ["data", "exists", "children", "persistent", "persistent-recursive"] as const) {
    watches.add(kind, "/a", handler(kind));
  }
  watches.fire(type, "/a");
  return seen.map((line) => line.split(" ")[0]).join(" ");
}

test("a one-shot watch fires once, a persistent one always", () => {
  const { watches, seen, handler } = registry();
  watches.add("data", "/a", handler("once"));
  watches.add("persistent", "/a", handler("always"));
  watches.fire("data-changed", "/a");
  watches.fire("data-changed", "/a");
  expect(seen).toEqual(["once data-changed /a", "always data-changed /a", "always data-changed /a"]);
});

test("each event reaches the kinds of watch it concerns", () => {
  expect(reached("created")).toBe("data exists persistent-recursive persistent");
  expect(reached("data-changed")).toBe("data exists persistent-recursive persistent");
  expect(reached("deleted")).toBe("data exists children persistent-recursive persistent");
  // The recursive watch at the same path tells the persistent one of children, by their own events.
  expect(reached("children-changed")).toBe("children");
});

test("where a recursive watch stands, a child's coming and going is told once to the persistent one beside it", () => {
  const { watches, seen, handler } = registry();
  watches.add("persistent", "/a", handler("flat"));
  watches.fire("children-changed", "/a");
  watches.add("persistent-recursive", "/a", handler("deep"));
  expect(watches.replay()).toMatchObject({ persistent: [], "persistent-recursive": ["/a"] });
  watches.fire("created", "/a/b");
  // A server since 3.9 keeps both and says it too.
  watches.fire("children-changed", "/a");
  watches.fire("data-changed", "/a/b");
  expect(seen).toEqual([
    "flat children-changed /a",
    "deep created /a/b",
    "flat children-changed /a",
    "deep data-changed /a/b",
  ]);
});

test("a watch is expected from its request to its answer, however many are under way", () => {
  const { watches } = registry();
  watches.expect("/a");
  watches.expect("/a");
  watches.arrived("/a");
  expect([watches.expects("/a"), watches.expects("/b")]).toEqual([true, false]);
  watches.arrived("/a");
  expect(watches.expects("/a")).toBe(false);
});

test("a recursive watch hears of everything below it and nothing beside it", () => {
  const { watches, seen, handler } = registry();
  watches.add("persistent-recursive", "/a", handler("a"));
  watches.add("persistent-recursive", "/", handler("root"));
  watches.fire("created", "/a/b/c");
  watches.fire("created", "/ab");
  expect(seen).toEqual(["a created /a/b/c", "root created /a/b/c", "root created /ab"]);
});

test("the same handler given twice for a path is called once", () => {
  const { watches, seen, handler } = registry();
  const same = handler("same");
  watches.add("data", "/a", same);
  watches.add("data", "/a", same);
  watches.add("persistent", "/a", same);
  watches.fire("data-changed", "/a");
  expect(seen).toEqual(["same data-changed /a"]);
});

test("at the end of the session every handler hears that its watch is lost, once", () => {
  const { watches, seen, handler } = registry();
  watches.add("exists", "/a", handler("exists"));
  watches.add("persistent", "/b", handler("persistent"));
  watches.lost();
  watches.lost();
  expect(seen).toEqual(["exists lost /a", "persistent lost /b"]);
});

test("a large set of watches is replayed in slices that a server takes, none left out", () => {
  const { watches, handler } = registry();
  const paths = Array.from({ length: 20_000 }, (_, index) => `/services/service-${index}/status/host-${index}`);
  for (const path of paths) watches.add("data", path, handler("x"));
  watches.add("persistent-recursive", "/last", handler("y"));
  const packets = watchReplay(new JuteWriter(), watches.replay(), 42n);
  const replayed: string[] = [];
  for (const packet of packets) {
    expect(packet.length).toBeLessThan(128 * 1024);
    const reader = new JuteReader(packet);
    expect(reader.int()).toBe(reader.remaining);
    expect(reader.int()).toBe(Xid.setWatches);
    const opcode = reader.int();
    expect(reader.long()).toBe(42n);
    const lists = opcode === OpCode.setWatches2 ? 5 : 3;
    for (let list = 0; list < lists; list += 1) replayed.push(...reader.strings());
    expect(reader.remaining).toBe(0);
  }
  expect(replayed).toEqual([...paths, "/last"]);
  expect(packets.slice(0, -1).every((packet) => new JuteReader(packet, 8).int() === OpCode.setWatches)).toBe(true);
});
