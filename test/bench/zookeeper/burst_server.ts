import { type AddressInfo, createServer, type Socket } from "node:net";
import { FrameReader } from "../../../src/zookeeper/wire/framing.ts";
import { JuteReader, JuteWriter } from "../../../src/zookeeper/wire/jute.ts";
import { EventType, OpCode, Xid } from "../../../src/zookeeper/wire/opcodes.ts";

const syncConnected = 3;
// A Stat record: 3 longs and times, 3 versions, the owner, 2 sizes, the last zxid of the children.
const statBytes = 68;

/** Just enough of a server to give a session, answer reads, and then send any number of events in one write. */
export interface BurstServer extends AsyncDisposable {
  readonly connectString: string;
  /** Tells the session that all these nodes' data changed; returns how many bytes that takes. */
  fire(paths: readonly string[]): number;
}

export async function startBurstServer(): Promise<BurstServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A client that is killed resets its connection.
    socket.on("error", () => socket.destroy());
    serve(socket);
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  return {
    connectString: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fire: (paths) => {
      const burst = notifications(paths);
      for (const socket of sockets) socket.write(burst);
      return burst.length;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

function serve(socket: Socket): void {
  const writer = new JuteWriter();
  let greeted = false;
  let answers: Uint8Array[] = [];
  const frame = (bytes: Buffer, start: number, end: number): void => {
    const reader = new JuteReader(bytes, start, end);
    writer.reset();
    if (greeted) answer(reader, writer);
    else greet(reader, writer);
    greeted = true;
    answers.push(writer.frame());
  };
  const frames = new FrameReader({ frame });
  socket.on("data", (chunk: Buffer) => {
    frames.push(chunk);
    if (answers.length > 0) socket.write(Buffer.concat(answers));
    answers = [];
  });
}

/** Grants whatever session is asked for. */
function greet(reader: JuteReader, writer: JuteWriter): void {
  reader.int();
  reader.long();
  const timeoutMs = reader.int();
  writer.int(0).int(timeoutMs).long(1n).buffer(new Uint8Array(16)).bool(false);
}

function answer(reader: JuteReader, writer: JuteWriter): void {
  const xid = reader.int();
  const type = reader.int();
  writer.int(xid).long(1n).int(0);
  if (type !== OpCode.getData) return;
  writer.buffer(new Uint8Array(0));
  for (let at = 0; at < statBytes; at += 4) writer.int(0);
}

function notifications(paths: readonly string[]): Buffer {
  const writer = new JuteWriter();
  return Buffer.concat(
    paths.map((path) =>
      writer
        .reset()
        .int(Xid.notification)
        .long(-1n)
        .int(0)
        .int(EventType.dataChanged)
        .int(syncConnected)
        .string(path)
        .frame(),
    ),
  );
}
