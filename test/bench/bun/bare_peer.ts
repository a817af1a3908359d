// No client at all: sockets that read bytes, and send what a client would have to. What remains of a fan-out's time with it
// is the server's, the kernel's and Bun's. It knows the words `connect` and `arm`; see test/bench/README.md.
import { createInterface } from "node:readline";
import type { Socket } from "bun";

interface Greeting {
  done: boolean;
}

const sockets: Socket<Greeting>[] = [];
const notificationXid = -1;
/** Every read is the same: its number need not tell it from others, as a session has one at a time. */
const readXid = 1;
const getDataOpcode = 4;
let read: Uint8Array = new Uint8Array(0);
let greeted = 0;
let answers = 0;
let onAllGreeted: () => void = () => undefined;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function received(socket: Socket<Greeting>, chunk: Buffer): void {
  if (!socket.data.done) {
    socket.data.done = true;
    greeted += 1;
    onAllGreeted();
    return;
  }
  // On loopback a frame of some bytes comes whole.
  for (let at = 0; at < chunk.length; at += 4 + chunk.readInt32BE(at)) {
    const xid = chunk.readInt32BE(at + 4);
    if (xid === notificationXid) socket.write(read);
    else if (xid === readXid) answered();
  }
}

function answered(): void {
  answers += 1;
  if (answers === Math.ceil(sockets.length / 2)) say("half");
  if (answers < sockets.length) return;
  answers = 0;
  say("last");
}

/** Asks for a new session: protocol 0, zxid 0, its timeout, id 0, a password of 16 zeros, and not for a read-only server. */
function greetingFrame(timeoutMs: number): Buffer {
  const frame = Buffer.alloc(4 + 45);
  frame.writeInt32BE(45, 0);
  frame.writeInt32BE(timeoutMs, 16);
  frame.writeInt32BE(16, 28);
  return frame;
}

/** Reads the node at `path` and leaves a watch. */
function readFrame(path: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32BE(12 + path.length + 1, 0);
  head.writeInt32BE(readXid, 4);
  head.writeInt32BE(getDataOpcode, 8);
  head.writeInt32BE(path.length, 12);
  return Buffer.concat([head, path, Buffer.from([1])]);
}

async function connect(servers: string, count: number, timeoutMs: number): Promise<void> {
  const [hostname = "", port = ""] = servers.split(":");
  const greeting = greetingFrame(timeoutMs);
  const all = Promise.withResolvers<void>();
  onAllGreeted = () => {
    if (greeted === count) all.resolve();
  };
  const socket = {
    open: (opened: Socket<Greeting>) => {
      opened.setNoDelay(true);
      sockets.push(opened);
      opened.write(greeting);
    },
    data: received,
    close: () => say("failed a connection was closed"),
  };
  for (let index = 0; index < count; index += 1) {
    await Bun.connect<Greeting>({ hostname, port: Number(port), data: { done: false }, socket });
  }
  await all.promise;
  say("connected");
}

function arm(path: string): void {
  read = readFrame(Buffer.from(path));
  for (const socket of sockets) socket.write(read);
}

say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [word, a = "", b = "", c = ""] = line.split(" ");
  if (word === "connect") connect(a, Number(b), Number(c)).catch((error: unknown) => say(`failed ${String(error)}`));
  else if (word === "arm") arm(a);
  else say(`failed unknown command: ${line}`);
}
process.exit(0);
