// Servers that behave in one known way each, on a port of its own: `faulty_server.mjs FIRST_PORT` prints their names in
// the order of their ports. The load is held against them.
import { createServer } from "node:net";

const IDENTITY = "x-build: b1\r\nx-process: 1\r\n";
const whole = (extra = "") => `HTTP/1.1 200 OK\r\n${IDENTITY}${extra}content-length: 3\r\n\r\nb1\n`;
const chunked = `HTTP/1.1 200 OK\r\n${IDENTITY}transfer-encoding: chunked\r\n\r\n2;x=y\r\nb1\r\n1\r\n\n\r\n0\r\nt: 1\r\n\r\n`;

/** Each is called with a question's number on its connection, the first is 1. */
const behaviours = {
  "closes as announced": (socket) => socket.end(whole("connection: close\r\n")),
  "ends its answer with the connection": (socket) => socket.end(`HTTP/1.1 200 OK\r\n${IDENTITY}\r\nb1\n`),
  "answers in chunks": (socket) => socket.write(chunked),
  "answers in single bytes": async (socket) => {
    for (const byte of chunked) {
      socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  "closes idle connections": (socket) => {
    socket.write(whole());
    setTimeout(() => socket.end(), 20);
  },
  "closes when the second question comes": (socket, number) =>
    number === 1 ? socket.write(whole()) : socket.destroy(),
  "closes while it serves the second question": (socket, number) =>
    number === 1 ? socket.write(whole()) : setTimeout(() => socket.destroy(), 700),
  "closes within its answer": (socket) => socket.end(whole().slice(0, -1)),
  "closes before its first answer": (socket) => socket.destroy(),
  "has nobody to serve": (socket) => socket.write("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"),
  "says nothing": () => {},
  "is late": (socket) => setTimeout(() => socket.write(whole()), 1_000),
  "speaks another protocol": (socket) => socket.write("220 hello\r\n\r\n"),
  "answers what was not asked": (socket) => socket.write(whole() + whole()),
};

const first = Number(process.argv[2]);
for (const [index, behave] of Object.values(behaviours).entries()) {
  createServer({ noDelay: true }, (socket) => {
    let questions = 0;
    socket.on("error", () => socket.destroy());
    socket.on("data", () => void behave(socket, ++questions));
  }).listen(first + index);
}
process.stdout.write(`${JSON.stringify(Object.keys(behaviours))}\n`);
