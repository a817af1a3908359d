// The service of the restart tests, on Node's own modules: HTTP with short and slow answers and a WebSocket, and a
// protocol of lines. Its environment decides how well it behaves when it has to go:
//
//   PORT, LINE_PORT  where it listens; with LISTEN_FDS (systemd) on descriptor 3 instead of PORT
//   BOOT_MS          how long after its birth it listens
//   COOPERATE        1: once told (USR1, USR2 or POST /drain) it lets every client go with its next answer
//   STOP             graceful: TERM closes the listener and lets running requests end; abrupt: TERM ends it at once
//   PID_FILE         written when it listens
//   EVENTS_FILE      what happened to it and when, a line of JSON each
//
// SIGUSR1 makes Node open its inspector, whatever a handler does, so the tests tell it by USR2.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, Server } from "node:net";
import { join } from "node:path";

const env = process.env;
const cooperates = env.COOPERATE !== "0";
const build = env.BUILD ?? readFileSync(join(import.meta.dirname, "build.txt"), "utf8").trim();
const instance = env.DEPLOYD_INSTANCE ?? env.INSTANCE ?? "-";
const inherited = Number(env.LISTEN_FDS ?? 0) > 0;
const SLOW_MS = 2_000;
const GRACE_MS = 5_000;

let draining = false;
let stopping = false;
const lineClients = new Set();
const webSockets = new Set();

function happened(event) {
  if (env.EVENTS_FILE === undefined) return;
  appendFileSync(env.EVENTS_FILE, `${JSON.stringify({ at: Date.now(), event, instance, build, pid: process.pid })}\n`);
}

// --- HTTP

const identity = { "x-build": build, "x-instance": instance, "x-process": String(process.pid) };

const http = createHttpServer((request, response) => {
  request.resume();
  const answer = (parts, status = 200) => {
    response.statusCode = status;
    for (const [name, value] of Object.entries(identity)) response.setHeader(name, value);
    // Decided when the answer is made and not when the question came: a slow one may have been asked before the drain.
    if (draining || stopping) response.setHeader("connection", "close");
    // Several parts travel in chunks.
    for (const part of parts.slice(0, -1)) response.write(part);
    response.end(parts.at(-1));
  };
  switch (`${request.method} ${request.url}`) {
    case "GET /":
      return answer([`${build}\n`]);
    case "GET /health":
      return answer(["ok\n"]);
    case "GET /slow":
      return setTimeout(() => answer(["slow ", "answer of ", `${build}\n`]), SLOW_MS);
    case "POST /drain":
      drain();
      return answer([cooperates ? "draining\n" : "no\n"]);
    case "POST /resume":
      resume();
      return answer(["resumed\n"]);
    default:
      return answer(["not here\n"], 404);
  }
});
// Only a restart may close a connection, or the load would count what is no fault of it.
http.keepAliveTimeout = 0;
http.headersTimeout = 0;
http.requestTimeout = 0;

// --- WebSocket, RFC 6455: small frames, text echoed

const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 };
const GOING_AWAY = 1001;

function frame(opcode, payload) {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}

/** The first frame in `bytes` and the rest, or null while it is not whole. Clients mask theirs. */
function readFrame(bytes) {
  if (bytes.length < 6) return null;
  const length = bytes[1] & 0x7f;
  if ((bytes[1] & 0x80) === 0 || length > 125) throw new Error("a small masked frame is wanted");
  if (bytes.length < 6 + length) return null;
  const mask = bytes.subarray(2, 6);
  const payload = Buffer.from(bytes.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]));
  return { opcode: bytes[0] & 0x0f, payload, rest: bytes.subarray(6 + length) };
}

http.on("upgrade", (request, socket, head) => {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${WEBSOCKET_GUID}`).digest("base64");
  const headers = { upgrade: "websocket", connection: "Upgrade", "sec-websocket-accept": accept, ...identity };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
  webSockets.add(socket);
  let bytes = head;
  const received = (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let next = readFrame(bytes); next !== null; next = readFrame(bytes)) {
      bytes = next.rest;
      if (next.opcode === OPCODE.text) socket.write(frame(OPCODE.text, next.payload));
      if (next.opcode === OPCODE.ping) socket.write(frame(OPCODE.pong, next.payload));
      if (next.opcode === OPCODE.close) socket.end(frame(OPCODE.close, next.payload));
    }
  };
  socket.on("data", received);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => webSockets.delete(socket));
});

function sayGoodbye(socket) {
  const status = Buffer.alloc(2);
  status.writeUInt16BE(GOING_AWAY);
  socket.end(frame(OPCODE.close, status));
}

// --- Lines: each is answered; whoever is to go gets BYE after the next answer

const lines = createServer((socket) => {
  lineClients.add(socket);
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk) => {
    text += chunk;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      socket.write(`${build} ${instance} ${process.pid} ${text.slice(0, end)}\n`);
      text = text.slice(end + 1);
      if (draining || stopping) return socket.end("BYE\n");
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => lineClients.delete(socket));
});

// --- Coming and going

function drain() {
  happened("told");
  if (!cooperates) return;
  draining = true;
  // The other holder of the socket takes what comes now. Not http.close(), which closes idle connections.
  if (inherited && http.listening) Server.prototype.close.call(http);
}

/** With an inherited listener only the answers change back: a closed descriptor cannot be had again. */
function resume() {
  happened("resumed");
  draining = false;
}

function stop() {
  happened("stopping");
  if (env.STOP === "abrupt") return end();
  if (stopping) return;
  stopping = true;
  setTimeout(end, GRACE_MS).unref();
  const closed = [http, lines].filter((server) => server.listening).map(closing);
  // Also when the listener was closed before, in the drain.
  http.closeIdleConnections();
  for (const socket of webSockets) sayGoodbye(socket);
  for (const socket of lineClients) socket.end();
  void Promise.all(closed).then(whenIdle);
}

function closing(server) {
  const { promise, resolve } = deferred();
  server.close(resolve);
  return promise;
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve) => (parts.resolve = resolve));
  return parts;
}

function whenIdle() {
  http.getConnections((_, open) => (open > 0 ? setTimeout(whenIdle, 10) : end()));
}

function end() {
  happened("ended");
  process.exit(0);
}

for (const signal of ["SIGUSR1", "SIGUSR2"]) process.on(signal, drain);
process.on("SIGHUP", resume);
process.on("SIGTERM", stop);

function listening(server, where) {
  const { promise, resolve } = deferred();
  server.on("error", (error) => {
    happened(`cannot listen: ${error.code}`);
    process.exit(1);
  });
  server.listen(where, resolve);
  return promise;
}

setTimeout(
  async () => {
    if (stopping) return;
    // "::" takes IPv4 too.
    const any = { host: "::", ipv6Only: false };
    if (inherited) await listening(http, { fd: 3 });
    else if (env.PORT !== undefined) await listening(http, { ...any, port: Number(env.PORT) });
    if (env.LINE_PORT !== undefined) await listening(lines, { ...any, port: Number(env.LINE_PORT) });
    if (env.PID_FILE !== undefined) {
      writeFileSync(`${env.PID_FILE}.${process.pid}`, `${process.pid}\n`);
      renameSync(`${env.PID_FILE}.${process.pid}`, env.PID_FILE);
    }
    // Node has no datagram sockets of the local kind, so the message is another program's: NotifyAccess=all.
    if (env.NOTIFY_SOCKET !== undefined) spawn("systemd-notify", ["--ready"], { stdio: "ignore" });
    happened("listening");
  },
  Number(env.BOOT_MS ?? 1_000),
);
