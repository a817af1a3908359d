// The clients of the restart tests. One argument, JSON: `{ targets, clients: { name: count }, shortPauseMs,
// longPauseMs, tailMs, maxMs }`. Says `ready` when every client was served or has failed once, obeys lines
// (`begin ROLL`, `end`, `stop`), says `alive` now and then, and prints one line of JSON at the end. It goes on for
// `tailMs` after the stop, as what a restart did wrong may show after it. When nobody stops it, it ends after `maxMs`
// and says so. An end of its input is an end at once.
import { createInterface } from "node:readline";
import { HTTP_CLIENTS, httpClient } from "./load/http_clients.mjs";
import { Lag } from "./load/lag.mjs";
import { lineClient } from "./load/line_client.mjs";
import { Tally } from "./load/tally.mjs";
import { webSocketClient } from "./load/websocket_client.mjs";

const { targets, clients, shortPauseMs, longPauseMs, tailMs, maxMs } = JSON.parse(process.argv[2] ?? "");
const ALIVE_MS = 2_000;
const lag = new Lag();
/** `first`: clients with the same rhythm begin at different times, or they would all be at the same point for ever. */
const pausesMs = { first: [0, 2_000], short: shortPauseMs, long: longPauseMs };

let isOver = false;
const wakers = new Set();

/** Waits between two questions, for a random time. False when the run is over. */
async function pause(length) {
  if (isOver) return false;
  const [least, most] = pausesMs[length];
  await new Promise((resolve) => {
    const timer = setTimeout(woken, least + Math.random() * (most - least));
    function woken() {
      clearTimeout(timer);
      wakers.delete(woken);
      resolve();
    }
    wakers.add(woken);
  });
  return !isOver;
}

function stop() {
  isOver = true;
  for (const wake of wakers) wake();
}

const newTally = () => new Tally((time) => lag.since(time));
const tallies = { http: newTally(), line: newTally(), webSocket: newTally() };
const closings = [];
const startedAt = Date.now();

let waiting = 0;
/** The run as one client sees it; its first pause tells that it was served, or failed, once. */
function runOf() {
  let pauses = 0;
  waiting += 1;
  return {
    ...tallies,
    closings,
    pause: (length) => {
      pauses += 1;
      if (pauses === 1) return pause("first");
      if (pauses === 2) {
        waiting -= 1;
        if (waiting === 0) process.stdout.write("ready\n");
      }
      return pause(length);
    },
  };
}

const running = Object.entries(clients).flatMap(([name, count]) =>
  Array.from({ length: count }, (_, number) => {
    const target = targets[number % targets.length];
    if (name === "line") return lineClient(target, runOf());
    if (name === "webSocket") return webSocketClient(target, runOf());
    if (HTTP_CLIENTS[name] === undefined) throw new Error(`there are no clients "${name}"`);
    return httpClient(name, target, runOf());
  }),
);

let wasCut = false;
// Whoever waits for a line can tell a load that waits for its clients from one that hangs.
const alive = setInterval(() => process.stdout.write("alive\n"), ALIVE_MS);
const tooLong = setTimeout(() => {
  wasCut = true;
  stop();
}, maxMs);
const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const [word, ...rest] = line.split(" ");
  if (word === "begin") for (const tally of Object.values(tallies)) tally.begin(rest.join(" "));
  else if (word === "end") for (const tally of Object.values(tallies)) tally.end();
  else if (word === "stop") setTimeout(stop, tailMs);
});
input.on("close", stop);

await Promise.all(running);
clearTimeout(tooLong);
clearInterval(alive);
lag.stop();
input.close();
const reports = Object.fromEntries(Object.entries(tallies).map(([name, tally]) => [name, tally.report()]));
const ended = { startedAt, endedAt: Date.now(), wasCut, lagMs: lag.worstMs, closings };
process.stdout.write(`${JSON.stringify({ ...ended, ...reports })}\n`);
