import { Connection } from "./connection.mjs";
import { HttpReader } from "./http_reader.mjs";
import { Failure } from "./tally.mjs";

const OK = 200;

/**
 * The four sorts of clients. `keeps`: the connection is used again for as long as the server lets it; an announced
 * `Connection: close` is obeyed. `pause`: between an answer and the next question.
 */
export const HTTP_CLIENTS = {
  keepAlive: { path: "/", keeps: true, expectedMs: 0, pause: "short" },
  fresh: { path: "/", keeps: false, expectedMs: 0, pause: "short" },
  slow: { path: "/slow", keeps: false, expectedMs: 2_000, pause: "long" },
  slowKeepAlive: { path: "/slow", keeps: true, expectedMs: 2_000, pause: "short" },
};

/** Asks again and again until `run` is over. */
export async function httpClient(name, target, run) {
  const { path, keeps, expectedMs, pause } = HTTP_CLIENTS[name];
  const question =
    `GET ${path} HTTP/1.1\r\nhost: ${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}\r\n` +
    `${keeps ? "" : "connection: close\r\n"}\r\n`;
  let connection = null;
  while (await run.pause(pause)) {
    const askedAt = performance.now();
    try {
      connection ??= await Connection.open(target, () => new HttpReader());
      const answer = await connection.ask(question);
      if (answer.status >= 500) throw new Failure("5xx", `${answer.status} ${answer.body.slice(0, 40)}`);
      const served = { build: answer.headers["x-build"], process: answer.headers["x-process"] };
      if (answer.status !== OK || served.build === undefined || !answer.body.includes(served.build)) {
        throw new Failure("garbled", `${answer.status} "${answer.body.slice(0, 40)}" of build ${served.build}`);
      }
      run.http.succeeded(name, askedAt, expectedMs, served);
      if (!keeps || answer.closes) connection = closed(connection);
    } catch (error) {
      run.http.failed(name, connection === null ? error : withPort(error, connection));
      connection = closed(connection);
    }
  }
  closed(connection);
}

function closed(connection) {
  connection?.close();
  return null;
}

/** The port tells a connection from the others in a capture. */
function withPort(error, connection) {
  error.message += ` (from port ${connection.localPort})`;
  return error;
}
