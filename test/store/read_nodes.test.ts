import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readMany, readNodes } from "../../src/store/read_nodes.ts";
import { systemClock } from "../../src/support/clock.ts";
import { op, read, ZooKeeper } from "../../src/zookeeper/client.ts";
import { OpCode } from "../../src/zookeeper/wire/opcodes.ts";
import { creatorAcl } from "../../src/zookeeper/znode.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";

const names = Array.from({ length: 450 }, (_, index) => `/fleet/host-${index}`);
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

describe.each(servers)("with %s", (_name, start) => {
  let server: Awaited<ReturnType<typeof start>>;
  let zk: ZooKeeper;
  beforeAll(async () => {
    server = await start();
    zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
    await zk.create("/fleet");
    await zk.multi(names.map((name) => op.create(name, name)));
  });
  afterAll(async () => {
    await zk.close();
    await server[Symbol.asyncDispose]();
  });

  test("more nodes than a batch has are read in their order, and one that is not there is null", async () => {
    const wanted = [...names.slice(0, 250), "/fleet/nobody", ...names.slice(250)];
    const found = await readNodes(zk, wanted);
    expect(found.map((node) => node && text(node.data))).toEqual(
      wanted.map((name) => (name === "/fleet/nobody" ? null : name)),
    );
    expect(found[0]?.stat.version).toBe(0);
  });

  test("none and one are read as well, and children too", async () => {
    expect(await readNodes(zk, [])).toEqual([]);
    expect((await readNodes(zk, ["/fleet"]))[0]?.stat.numChildren).toBe(450);
    expect(await readNodes(zk, ["/none"])).toEqual([null]);
    const [node, children, none] = await readMany(zk, [
      read.get("/fleet"),
      read.children("/fleet"),
      read.children("/none"),
    ]);
    expect([node?.type, none]).toEqual(["get", null]);
    expect(children?.type === "children" ? children.children.length : -1).toBe(450);
  });

  test("what may not be read is no node that is not there", async () => {
    await using owner = new ZooKeeper({
      clock: systemClock,
      servers: server.connectString,
      auth: [{ scheme: "digest", credentials: "app:secret" }],
    });
    await owner.create("/mine", "", { acl: creatorAcl });
    await zk.sync("/");
    expect(await rejection(readNodes(zk, ["/fleet", "/mine"]))).toMatchObject({ code: "NO_AUTH", path: "/mine" });
  });
});

describe("a server that knows no reads in batches", () => {
  let server: DevServer;
  beforeAll(async () => void (server = await startDevServer({ clock: systemClock })));
  afterAll(() => server.close());

  test("is asked for one node at a time, and is offered no batch again", async () => {
    await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
    await zk.create("/fleet");
    await zk.multi(names.map((name) => op.create(name, name)));
    let batches = 0;
    server.faults.failOperation = ({ opcode }) => {
      if (opcode !== OpCode.multiRead) return undefined;
      batches += 1;
      return "UNIMPLEMENTED";
    };
    const read = async () => (await readNodes(zk, [...names, "/none"])).map((node) => node && text(node.data));
    expect(await read()).toEqual([...names, null]);
    const offered = batches;
    expect(offered).toBeGreaterThan(0);
    expect(await read()).toEqual([...names, null]);
    expect(batches).toBe(offered);
  });
});
