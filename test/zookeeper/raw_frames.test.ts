import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { JuteReader, JuteWriter } from "../../src/zookeeper/wire/jute.ts";
import { OpCode } from "../../src/zookeeper/wire/opcodes.ts";
import { readStat, writeAcls } from "../../src/zookeeper/wire/node_records.ts";
import { openAcl } from "../../src/zookeeper/znode.ts";
import { readConnectResponse } from "../../src/zookeeper/wire/handshake_records.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { framed } from "../harness/framed.ts";
import { fourLetters, startZooKeeper } from "../harness/zookeeper.ts";

/** Frames as any client may send them, without ours in between. */
class Wire implements Disposable {
  readonly #frames: Buffer[] = [];
  #rest = Buffer.alloc(0);
  #closed = false;
  #socket: Bun.Socket | undefined;

  static async open(port: number): Promise<Wire> {
    const wire = new Wire();
    wire.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_socket, chunk) => wire.#take(chunk),
        close: () => void (wire.#closed = true),
        end: () => void (wire.#closed = true),
      },
    });
    return wire;
  }

  /** With a session, as a client of the protocol since 3.4 asks for one. */
  static async greeted(port: number): Promise<Wire> {
    const wire = await Wire.open(port);
    wire.send((w) => handshake(w));
    await wire.next();
    return wire;
  }

  send(record: (writer: JuteWriter) => void): void {
    const writer = new JuteWriter();
    record(writer);
    this.#socket?.write(framed(writer.written));
  }

  /** The next frame, or "closed". */
  async next(): Promise<JuteReader | "closed"> {
    const frame = await eventually(() => this.#frames.shift() ?? (this.#closed && "closed"));
    return frame === "closed" ? frame : new JuteReader(frame);
  }

  /** The next reply: its number, its error, and what `record` makes of what follows. */
  async reply(record: (reader: JuteReader) => unknown = () => []): Promise<unknown[] | "closed"> {
    const reader = await this.next();
    if (reader === "closed") return reader;
    const xid = reader.int();
    reader.long();
    const error = reader.int();
    const value = error === 0 ? record(reader) : "none";
    return [xid, error, value, reader.remaining];
  }

  [Symbol.dispose](): void {
    this.#socket?.terminate();
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readInt32BE()) {
      const end = 4 + this.#rest.readInt32BE();
      this.#frames.push(this.#rest.subarray(4, end));
      this.#rest = this.#rest.subarray(end);
    }
  }
}

interface Asked {
  readonly zxid?: bigint;
  readonly id?: bigint;
  readonly password?: Uint8Array;
  /** Left out by clients of before 3.4. */
  readonly readOnly?: boolean | undefined;
}

function handshake(writer: JuteWriter, asked: Asked = { readOnly: false }): void {
  const { zxid = 0n, id = 0n, password = new Uint8Array(16), readOnly } = asked;
  writer.int(0).long(zxid).int(5_000).long(id).buffer(password);
  if (readOnly !== undefined) writer.bool(readOnly);
}

const create = (writer: JuteWriter, xid: number, path: string, opcode: number = OpCode.create, flags = 0): void => {
  writer.int(xid).int(opcode).string(path).buffer(Buffer.from("x"));
  writeAcls(writer, openAcl);
  writer.int(flags);
};
const auth = (writer: JuteWriter, xid: number, scheme: string): void =>
  void writer.int(xid).int(OpCode.auth).int(0).string(scheme).buffer(Buffer.from("u:p"));
const statOf = (reader: JuteReader): number[] => {
  const { version, dataLength, numChildren } = readStat(reader);
  return [version, dataLength, numChildren];
};
const nothing = (): string => "nothing";

/** What a case sees, and what it must be: the same from every server. */
const cases: readonly {
  readonly name: string;
  run(port: number, dir: string): Promise<unknown>;
  readonly expected: unknown;
}[] = [
  {
    name: "a handshake is answered with a session, in the form that the client knows",
    run: async (port) => {
      const seen: unknown[] = [];
      for (const readOnly of [undefined, false, true]) {
        using wire = await Wire.open(port);
        wire.send((w) => handshake(w, { readOnly }));
        const reader = await wire.next();
        if (reader === "closed") return reader;
        const size = reader.remaining;
        const { timeoutMs, sessionId, password } = readConnectResponse(reader);
        seen.push([size, timeoutMs, sessionId !== 0n, password.byteLength]);
      }
      return seen;
    },
    expected: [
      [36, 5_000, true, 16],
      [37, 5_000, true, 16],
      [37, 5_000, true, 16],
    ],
  },
  {
    name: "a session is given back for its password, and gone for another",
    run: async (port) => {
      using first = await Wire.open(port);
      first.send((w) => handshake(w));
      const reader = await first.next();
      if (reader === "closed") return reader;
      const { sessionId, password } = readConnectResponse(reader);
      const seen: unknown[] = [];
      for (const shown of [password, new Uint8Array(16).fill(7), new Uint8Array(3)]) {
        using wire = await Wire.open(port);
        wire.send((w) => handshake(w, { id: sessionId, password: shown, readOnly: false }));
        const answer = await wire.next();
        if (answer === "closed") return answer;
        const given = readConnectResponse(answer);
        seen.push([given.sessionId === sessionId, given.sessionId === 0n, given.timeoutMs]);
        if (given.timeoutMs === 0) seen.push(await wire.next());
      }
      return seen;
    },
    expected: [[true, false, 5_000], [false, true, 0], "closed", [false, true, 0], "closed"],
  },
  {
    name: "a client that has seen more than the server has is left without an answer",
    run: async (port) => {
      using wire = await Wire.open(port);
      wire.send((w) => handshake(w, { zxid: 0x7fff_ffff_0000_0000n, readOnly: false }));
      return await wire.next();
    },
    expected: "closed",
  },
  {
    name: "an identity is answered under the number of its request, whatever that is",
    run: async (port) => {
      using wire = await Wire.greeted(port);
      const seen: unknown[] = [];
      for (const xid of [-4, 1, 0, 4_711]) {
        wire.send((w) => auth(w, xid, "digest"));
        seen.push(await wire.reply());
      }
      return seen;
    },
    expected: [-4, 1, 0, 4_711].map((xid) => [xid, 0, [], 0]),
  },
  {
    name: "a change of the ensemble is refused where nobody has allowed any",
    run: async (port) => {
      using wire = await Wire.greeted(port);
      wire.send((w) => w.int(1).int(OpCode.reconfig).buffer(null).buffer(Buffer.from("1")).buffer(null).long(-1n));
      return await wire.reply();
    },
    expected: [1, -123, "none", 0],
  },
  {
    name: "an identity of a scheme that nobody knows is refused under its number, and the connection ends",
    run: async (port) => {
      const seen: unknown[] = [];
      for (const xid of [-4, 12]) {
        using wire = await Wire.greeted(port);
        wire.send((w) => auth(w, xid, "nonsense"));
        seen.push(await wire.reply(), await wire.next());
      }
      return seen;
    },
    expected: [[-4, -115, "none", 0], "closed", [12, -115, "none", 0], "closed"],
  },
  {
    name: "requests are answered in their order, under numbers of the client's choice",
    run: async (port, dir) => {
      using wire = await Wire.greeted(port);
      wire.send((w) => create(w, 900, `${dir}/a`));
      wire.send((w) => w.int(3).int(OpCode.exists).string(`${dir}/a`).bool(false));
      wire.send((w) => w.int(-2).int(OpCode.ping));
      wire.send((w) => w.int(2_000_000_000).int(OpCode.exists).string(`${dir}/none`).bool(false));
      wire.send((w) => w.int(3).int(OpCode.sync).string(dir));
      const replies = [await wire.reply((r) => r.string().slice(dir.length)), await wire.reply(statOf)];
      // A ping is answered out of turn, at the moment it comes.
      replies.push(await wire.reply(nothing), await wire.reply(statOf), await wire.reply((r) => r.string() === dir));
      return replies;
    },
    expected: [
      [900, 0, "/a", 0],
      [3, 0, [0, 1, 0], 0],
      [-2, 0, "nothing", 0],
      [2_000_000_000, -101, "none", 0],
      [3, 0, true, 0],
    ],
  },
  {
    name: "the requests of before 3.5 are answered without a stat, those of after it with one",
    run: async (port, dir) => {
      using wire = await Wire.greeted(port);
      wire.send((w) => create(w, 1, `${dir}/old`));
      wire.send((w) => create(w, 2, `${dir}/new`, OpCode.create2));
      wire.send((w) => w.int(3).int(OpCode.getChildren).string(dir).bool(false));
      wire.send((w) => w.int(4).int(OpCode.getChildren2).string(dir).bool(false));
      const path = (r: JuteReader): string => r.string().slice(dir.length);
      const names = (r: JuteReader): string[] => r.strings().toSorted();
      return [
        await wire.reply(path),
        await wire.reply((r) => [path(r), statOf(r)]),
        await wire.reply(names),
        await wire.reply((r) => [names(r), statOf(r)]),
      ];
    },
    expected: [
      [1, 0, "/old", 0],
      [2, 0, ["/new", [0, 1, 0]], 0],
      [3, 0, ["new", "old"], 0],
      [
        4,
        0,
        [
          ["new", "old"],
          [0, 1, 2],
        ],
        0,
      ],
    ],
  },
  {
    name: "a watch is told under -1, before the answer to the change that it waited for",
    run: async (port, dir) => {
      using wire = await Wire.greeted(port);
      wire.send((w) => w.int(1).int(OpCode.exists).string(`${dir}/later`).bool(true));
      wire.send((w) => create(w, 2, `${dir}/later`));
      const missing = await wire.reply();
      const event = (r: JuteReader): unknown => [r.int(), r.int(), r.string().slice(dir.length)];
      return [missing, await wire.reply(event), await wire.reply((r) => r.string().slice(dir.length))];
    },
    expected: [
      [1, -101, "none", 0],
      [-1, 0, [1, 3, "/later"], 0],
      [2, 0, "/later", 0],
    ],
  },
  {
    name: "watches that are set again are answered under the number of the request",
    run: async (port, dir) => {
      using wire = await Wire.greeted(port);
      const seen: unknown[] = [];
      for (const xid of [-8, 5]) {
        wire.send((w) =>
          w.int(xid).int(OpCode.setWatches).long(0x7000_0000_0000_0000n).strings([dir]).strings([]).strings([]),
        );
        seen.push(await wire.reply(nothing));
      }
      return seen;
    },
    expected: [
      [-8, 0, "nothing", 0],
      [5, 0, "nothing", 0],
    ],
  },
  {
    name: "a mode and an opcode that do not exist are refused and harm nothing",
    run: async (port, dir) => {
      using wire = await Wire.greeted(port);
      wire.send((w) => create(w, 1, `${dir}/a`, OpCode.create, 99));
      wire.send((w) => w.int(2).int(OpCode.exists).string(dir).bool(false));
      return [await wire.reply(), await wire.reply(statOf)];
    },
    expected: [
      [1, -8, "none", 0],
      [2, 0, [0, 1, 0], 0],
    ],
  },
  {
    name: "a multi that is refused says so in each of its results and not in its header",
    run: async (port, dir) => {
      using wire = await Wire.greeted(port);
      wire.send((w) => {
        w.int(8).int(OpCode.multi);
        w.int(OpCode.setData).bool(false).int(-1).string(dir).buffer(Buffer.from("y")).int(-1);
        w.int(OpCode.check).bool(false).int(-1).string(dir).int(77);
        w.int(-1).bool(true).int(-1);
      });
      const results = (r: JuteReader): unknown[] => {
        const seen: unknown[] = [];
        for (;;) {
          const [type, done, error] = [r.int(), r.bool(), r.int()];
          if (done) return seen;
          seen.push([type, error, r.int()]);
        }
      };
      return await wire.reply(results);
    },
    expected: [
      8,
      0,
      [
        [-1, 0, 0],
        [-1, -103, -103],
      ],
      0,
    ],
  },
  {
    name: "a session that is closed takes its ephemeral nodes along, and its connection",
    run: async (port, dir) => {
      using other = await Wire.greeted(port);
      using wire = await Wire.greeted(port);
      wire.send((w) => create(w, 1, `${dir}/e`, OpCode.create, 1));
      const made = await wire.reply((r) => r.string().slice(dir.length));
      wire.send((w) => w.int(2).int(OpCode.closeSession));
      const seen = [made, await wire.reply(nothing), await wire.next()];
      other.send((w) => w.int(1).int(OpCode.exists).string(`${dir}/e`).bool(false));
      return [...seen, await other.reply()];
    },
    expected: [[1, 0, "/e", 0], [2, 0, "nothing", 0], "closed", [1, -101, "none", 0]],
  },
];

describe.each([
  ["Apache 3.8", startZooKeeper],
  ["the development server", () => startDevServer({ clock: systemClock })],
])("frames to %s:", (_name, start) => {
  let server: { port: number; connectString: string } & AsyncDisposable;

  beforeAll(async () => {
    server = await start();
  }, 60_000);

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test.each(cases.map((each, index) => [each.name, each, index] as const))("%s", async (_case, each, index) => {
    await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
    await zk.create(`/raw-${index}`, "x");
    expect(await each.run(server.port, `/raw-${index}`)).toEqual(each.expected);
  });

  test("administrators' words have what other clients look for in them", async () => {
    const version = /^zookeeper\.version=\d+\.\d+\.\d+/m;
    expect(await fourLetters(server.port, "envi")).toMatch(version);
    const counted =
      /^Latency min\/avg\/max: \d+\/[\d.]+\/\d+\nReceived: \d+\nSent: \d+\nConnections: \d+\nOutstanding: \d+\n/m;
    for (const word of ["srvr", "stat"]) {
      const said = await fourLetters(server.port, word);
      expect(said).toMatch(/^Zookeeper version: \d+\.\d+\.\d+\S*, built on /);
      expect(said).toMatch(counted);
      expect(said).toMatch(/^Zxid: 0x[0-9a-f]+\nMode: standalone\nNode count: \d+\n$/m);
    }
  });
});

describe("a development server that starts again on its port", () => {
  test("takes the clients of the one before, whatever they have seen", async () => {
    let server = await startDevServer({ clock: systemClock });
    const { port } = server;
    const session = new Session({ clock: systemClock, servers: server.connectString, sessionTimeoutMs: 20_000 });
    try {
      for (let round = 0; round < 3; round += 1) {
        for (let index = 0; index < 50; index += 1) await session.client.create(`/${index}`);
        const { stat } = await session.client.get("/49");
        await server.close();
        server = await startDevServer({ clock: systemClock, port });
        // Long before the session would be given up for lost.
        await eventually(() => session.epoch === round + 2 && session.state.kind === "connected", 5_000);
        expect(await session.client.exists("/0")).toBeNull();
        expect((await session.client.create("/first")).stat.czxid).toBeGreaterThan(stat.czxid);
      }
    } finally {
      await session.close();
      await server.close();
    }
  }, 30_000);
});
