import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { WatchEvent } from "../../src/zookeeper/client.ts";
import { eventually } from "../harness/eventually.ts";
import { startFaultyLink, type FaultyLink } from "../harness/zookeeper_link.ts";

let link: FaultyLink;

beforeEach(async () => {
  link = await startFaultyLink();
});

afterEach(async () => {
  await link[Symbol.asyncDispose]();
});

describe("watches over a reconnect", () => {
  test("fire for what was missed, and stay for what was not", async () => {
    const zk = link.open();
    const other = link.observe();
    for (const path of ["/data", "/gone", "/parent", "/same"]) await zk.create(path);
    const events: string[] = [];
    const watch = (event: WatchEvent): void => void events.push(`${event.type} ${event.path}`);
    await zk.get("/data", { watch });
    await zk.get("/gone", { watch });
    await zk.children("/parent", { watch });
    await zk.exists("/new", { watch });
    await zk.get("/same", { watch });
    link.proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    await other.set("/data", "1");
    await other.delete("/gone");
    await other.create("/parent/child");
    await other.create("/new");
    link.proxy.resume();
    await eventually(() => events.length === 4);
    expect(events.toSorted()).toEqual([
      "children-changed /parent",
      "created /new",
      "data-changed /data",
      "deleted /gone",
    ]);
    await other.set("/same", "1");
    await eventually(() => events.length === 5);
    expect(events.at(-1)).toBe("data-changed /same");
  });

  test("that are persistent say so, since they may have missed changes, and a read then sees the newest state", async () => {
    const zk = link.open();
    const other = link.observe();
    await zk.create("/a", "0");
    const events: string[] = [];
    let read = "";
    await zk.addWatch("/", "persistent-recursive", async (event) => {
      events.push(`${event.type} ${event.path}`);
      if (event.type === "reconnected") read = Buffer.from((await zk.get("/a")).data).toString();
    });
    link.proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    await other.set("/a", "1");
    link.proxy.resume();
    await eventually(() => read !== "");
    expect(read).toBe("1");
    await other.set("/a", "2");
    await eventually(() => events.length === 2);
    expect(events).toEqual(["reconnected /", "data-changed /a"]);
  });

  test("that were taken back without a connection are not set again on the next", async () => {
    const zk = link.open();
    const other = link.observe();
    await zk.create("/a");
    const seen: string[] = [];
    const watch = (event: WatchEvent): void => void seen.push(`${event.type} ${event.path}`);
    await zk.get("/a", { watch });
    await zk.addWatch("/", "persistent-recursive", watch);
    link.proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    await zk.removeWatches("/a");
    await zk.removeWatches("/");
    await other.set("/a", "1");
    link.proxy.resume();
    expect([await zk.hasWatch("/a"), await zk.hasWatch("/")]).toEqual([false, false]);
    expect(seen).toEqual([]);
  });
});
