// Listens on the given ports of all addresses and answers every line with the port it came to.
import { createServer } from "node:net";

const ports = process.argv.slice(2).map(Number);
await Promise.all(
  ports.map(
    (port) =>
      new Promise((resolve) => {
        const server = createServer((socket) => {
          socket.on("error", () => {});
          socket.on("data", () => socket.write(`${port}\n`));
        });
        server.listen(port, "::", resolve);
      }),
  ),
);
console.log("ready");
