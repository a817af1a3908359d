import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { op, read, ZooKeeper } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { FrameReader, MalformedFrame } from "../../src/zookeeper/wire/framing.ts";
import { JuteReader, JuteWriter, MalformedRecord } from "../../src/zookeeper/wire/jute.ts";
import { multiRequest } from "../../src/zookeeper/wire/multi.ts";
import { multiReadRequest } from "../../src/zookeeper/wire/multi_read.ts";
import { OpCode, Xid } from "../../src/zookeeper/wire/opcodes.ts";
import { DigestMd5 } from "../../src/zookeeper/connection/digest_md5.ts";
import { Handshake } from "../../src/zookeeper/connection/handshake.ts";
import { readReplyHeader } from "../../src/zookeeper/wire/packets.ts";
import { Chroot } from "../../src/zookeeper/wire/node_paths.ts";
import { writeAcls, writeStat } from "../../src/zookeeper/wire/node_records.ts";
import { noPassword, writeConnectResponse } from "../../src/zookeeper/wire/handshake_records.ts";
import { openAcl } from "../../src/zookeeper/znode.ts";
import * as requests from "../../src/zookeeper/wire/requests.ts";
import { eventually } from "../harness/eventually.ts";
import { framed } from "../harness/framed.ts";
import { failureOf } from "../harness/zookeeper_link.ts";

const stat = {
  czxid: 1n,
  mzxid: 2n,
  ctime: 1_700_000_000_000,
  mtime: 1_700_000_000_001,
  version: 3,
  cversion: 4,
  aversion: 5,
  ephemeralOwner: 6n,
  dataLength: 7,
  numChildren: 8,
  pzxid: 9n,
};
const at = { path: "/a", onServer: "/a" };
const fields = { data: null, mode: "persistent", acl: openAcl, ttlMs: undefined } as const;
const chroot = new Chroot("/app");

/** An answer as a server writes it, and what reads it. */
interface Sample {
  readonly frame: Buffer;
  decode(frame: Buffer): void;
}

function reply(request: requests.Request<unknown>, record: (writer: JuteWriter) => void): Sample {
  const writer = new JuteWriter().int(1).long(2n).int(0);
  record(writer);
  return {
    frame: Buffer.from(writer.written),
    decode: (frame) => {
      const reader = new JuteReader(frame);
      if (readReplyHeader(reader).error === 0) request.decode(reader);
    },
  };
}

function multiHeader(writer: JuteWriter, type: number): JuteWriter {
  return writer.int(type).bool(false).int(0);
}

const multiOps = [op.create("/a"), op.create("/b", "", { mode: "container" }), op.set("/a", "1"), op.delete("/b")];
const readOps = [read.get("/a"), read.children("/a"), read.get("/none")];
const challenge = 'realm="zk-sasl-md5",nonce="n\\"once",charset=utf-8,algorithm=md5-sess,qop="auth,auth-int"';

function opening(granted: boolean): Handshake {
  const ignore = (): void => undefined;
  const request = { lastZxidSeen: 0n, timeoutMs: 1, sessionId: 0n, password: noPassword, readOnly: false };
  const events = { granted: ignore, ready: ignore, refused: ignore };
  const made = new Handshake(
    new JuteWriter(),
    ignore,
    request,
    new DigestMd5({ username: "u", password: "p" }, "c"),
    events,
  );
  if (granted) made.received(new JuteReader(session.frame));
  return made;
}

const session: Sample = {
  frame: ((writer: JuteWriter) => {
    writeConnectResponse(writer, { timeoutMs: 1_000, sessionId: 7n, password: noPassword, readOnly: false });
    return Buffer.from(writer.written);
  })(new JuteWriter()),
  decode: (frame) => opening(false).received(new JuteReader(frame)),
};

const samples: readonly Sample[] = [
  session,
  {
    frame: Buffer.from(new JuteWriter().int(0).long(0n).int(0).buffer(Buffer.from(challenge)).written),
    decode: (frame) => opening(true).received(new JuteReader(frame)),
  },
  {
    frame: Buffer.from(new JuteWriter().int(Xid.notification).long(-1n).int(0).int(3).int(3).string("/app/a").written),
    decode: (frame) => {
      const reader = new JuteReader(frame);
      readReplyHeader(reader);
      reader.int();
      reader.int();
      chroot.toClient(reader.string());
    },
  },
  reply(requests.createRequest(at, fields), (writer) => writeStat(writer.string("/a"), stat)),
  reply(requests.existsRequest(at, false), (writer) => writeStat(writer, stat)),
  reply(requests.getRequest(at, false), (writer) => writeStat(writer.buffer(Buffer.from("data")), stat)),
  reply(requests.childrenRequest(at, false), (writer) => writeStat(writer.strings(["a", "bc", "größe"]), stat)),
  reply(requests.getAclRequest(at), (writer) => {
    writeAcls(writer, [...openAcl, { perms: 1, scheme: "digest", id: "u:h" }]);
    writeStat(writer, stat);
  }),
  reply(requests.whoAmIRequest(), (writer) => writer.int(2).string("ip").string("::1").string("sasl").string("u")),
  reply(requests.ephemeralsRequest(at), (writer) => writer.strings(["/app/e1", "/app/e2"])),
  reply(requests.descendantsRequest(at), (writer) => writer.int(9)),
  reply(multiRequest(multiOps, chroot), (writer) => {
    multiHeader(writer, OpCode.create).string("/app/a");
    writeStat(multiHeader(writer, OpCode.createContainer).string("/app/b"), stat);
    writeStat(multiHeader(writer, OpCode.setData), stat);
    multiHeader(writer, OpCode.delete).int(-1).bool(true).int(-1);
  }),
  reply(multiRequest(multiOps, chroot), (writer) => {
    for (const error of [0, -101, -2, -2]) writer.int(OpCode.error).bool(false).int(error).int(error);
    writer.int(-1).bool(true).int(-1);
  }),
  reply(multiReadRequest(readOps, chroot), (writer) => {
    writeStat(multiHeader(writer, OpCode.getData).buffer(Buffer.from("data")), stat);
    multiHeader(writer, OpCode.getChildren).strings(["b", "c"]);
    writer.int(OpCode.error).bool(false).int(-101).int(-101).int(-1).bool(true).int(-1);
  }),
];

/** The same numbers in every run. (mulberry32) */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const extremes = [-1, 0, 1, -2_147_483_648, 2_147_483_647, 65_536, 16_777_216];

function mutate(frame: Buffer, random: (below: number) => number): Buffer {
  let copy: Buffer = Buffer.from(frame);
  for (let changes = 1 + random(3); changes > 0; changes -= 1) {
    const offset = random(copy.length || 1);
    switch (random(5)) {
      case 0:
        copy[offset] = random(256);
        break;
      case 1:
        copy[offset] = (copy[offset] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        if (copy.length >= 4) copy.writeInt32BE(extremes[random(extremes.length)] ?? 0, random(copy.length - 3));
        break;
      case 3:
        copy = copy.subarray(0, offset);
        break;
      default:
        copy = Buffer.concat([copy, copy.subarray(offset)]);
    }
  }
  return copy;
}

/** Cuts a stream into frames that are read as the sample is. */
function frames(sample: Sample): FrameReader {
  return new FrameReader({ frame: (bytes, start, end) => sample.decode(bytes.subarray(start, end)) });
}

function expectedFailure(error: unknown): boolean {
  return error instanceof MalformedRecord || error instanceof MalformedFrame || isZooKeeperError(error);
}

test("every sample is read as it stands", () => {
  for (const sample of samples) {
    try {
      sample.decode(sample.frame);
    } catch (error) {
      expect(isZooKeeperError(error, "NO_NODE")).toBe(true);
    }
  }
});

test("a million mutated frames: each is read or refused, in no time and without leaving anything behind", () => {
  const random = seeded(20_241_123);
  let refused = 0;
  const run = (count: number): void => {
    for (let round = 0; round < count; round += 1) {
      const sample = samples[random(samples.length)] ?? session;
      const frame = mutate(sample.frame, random);
      try {
        // One in eight goes through the cutting of frames, with a length that may be wrong.
        if (round % 8 !== 0) sample.decode(frame);
        else frames(sample).push(mutate(framed(frame), random));
      } catch (error) {
        if (!expectedFailure(error)) throw error;
        refused += 1;
      }
    }
  };
  run(100_000);
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  run(900_000);
  Bun.gc(true);
  const grownMb = (process.memoryUsage.rss() - before) / 1024 / 1024;
  console.log(`1,000,000 frames, ${refused} refused, memory ${grownMb.toFixed(1)} MB larger`);
  expect(refused).toBeGreaterThan(300_000);
  expect(grownMb).toBeLessThan(64);
}, 120_000);

describe("a server that talks nonsense after a good handshake", () => {
  let impostor: Bun.TCPSocketListener<{ greeted: boolean }>;
  let connections = 0;

  beforeEach(() => {
    const random = seeded(7);
    impostor = Bun.listen<{ greeted: boolean }>({
      hostname: "127.0.0.1",
      port: 0,
      data: { greeted: false },
      socket: {
        open: (socket) => {
          connections += 1;
          socket.data = { greeted: false };
        },
        data: (socket) => {
          const sample = samples[random(samples.length)] ?? session;
          socket.write(framed(socket.data.greeted ? mutate(sample.frame, random) : session.frame));
          socket.data.greeted = true;
        },
      },
    });
  });

  afterEach(() => {
    impostor.stop(true);
  });

  test("loses the connection, and every operation ends with an error of ours or an answer", async () => {
    await using zk = new ZooKeeper({
      clock: systemClock,
      servers: `127.0.0.1:${impostor.port}`,
      sessionTimeoutMs: 1_000,
    });
    await zk.connected();
    const started = connections;
    const ends: Promise<unknown>[] = [];
    await eventually(async () => {
      const reading = zk.get("/", { timeoutMs: 200 });
      ends.push(reading.catch((error: unknown) => error));
      await ends.at(-1);
      return connections - started >= 10 || zk.state.kind === "expired";
    }, 20_000);
    for (const end of await Promise.all(ends)) expect(end instanceof Error && !isZooKeeperError(end)).toBe(false);
  }, 30_000);

  test("an answer that makes no sense fails its own operation as that", async () => {
    await using zk = new ZooKeeper({ clock: systemClock, servers: `127.0.0.1:${impostor.port}` });
    await zk.connected();
    const error = await failureOf(zk.create("/a", "", { timeoutMs: 2_000 }));
    expect(["CONNECTION_LOSS", "MARSHALLING_ERROR", "OPERATION_TIMEOUT"]).toContain(error.code);
    expect(error.outcome).toBe("unknown");
  });
});
