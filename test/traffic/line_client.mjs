// With a count: opens so many connections to HOST PORT, one after the other, and prints what answers on each.
// Without: keeps one connection and prints what answers each line of its own input.
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [host, port, count] = process.argv.slice(2);

const dial = () => {
  const socket = connect({ host, port: Number(port) });
  const waiting = [];
  const settle = (text) => waiting.shift()?.(text);
  socket.on("data", (data) => settle(String(data).trim()));
  socket.on("error", (error) => settle(error.code));
  socket.on("close", () => settle("closed"));
  return {
    ask: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        socket.write("?\n");
      }),
    close: () => socket.destroy(),
  };
};

if (count === undefined) {
  const connection = dial();
  for await (const _ of createInterface({ input: process.stdin })) console.log(await connection.ask());
} else {
  for (let n = 0; n < Number(count); n++) {
    const connection = dial();
    console.log(await connection.ask());
    connection.close();
  }
}
