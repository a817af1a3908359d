import { randomBytes } from "node:crypto";
import { Connection } from "./connection.mjs";
import { Failure } from "./tally.mjs";

const OPCODE = { text: 1, close: 8 };
const NO_STATUS = 1005;

/** The head of the upgrade first, then frames. */
class WebSocketReader {
  #bytes = Buffer.alloc(0);
  #upgraded = false;
  /** Status of a close frame, once there was one. */
  closeStatus = null;

  get isEmpty() {
    return this.#bytes.length === 0;
  }

  push(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    return this.#upgraded ? this.#readFrames() : this.#readHead();
  }

  end() {
    return null;
  }

  #readHead() {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end === -1) return null;
    const head = this.#bytes.subarray(0, end).toString("latin1");
    this.#bytes = this.#bytes.subarray(end + 4);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    this.#upgraded = status === 101;
    const header = (name) => new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1]?.trim();
    return { status, build: header("x-build"), process: header("x-process") };
  }

  /** The text of the first text frame; one word at a time is echoed. */
  #readFrames() {
    let text = null;
    while (this.#bytes.length >= 2) {
      const length = this.#bytes[1];
      if (length > 125) throw new Error("a frame that is masked or long");
      if (this.#bytes.length < 2 + length) break;
      const opcode = this.#bytes[0] & 0x0f;
      const payload = this.#bytes.subarray(2, 2 + length);
      this.#bytes = this.#bytes.subarray(2 + length);
      if (opcode === OPCODE.close) this.closeStatus = length >= 2 ? payload.readUInt16BE(0) : NO_STATUS;
      else text ??= payload.toString("utf8");
    }
    return text;
  }
}

/**
 * Keeps one WebSocket open and has its words echoed. Every close by the other side is noted with its time, as a restart
 * cannot but close it in the end; a word that was not echoed is a failure besides.
 */
export async function webSocketClient(target, run) {
  while (await run.pause("short")) {
    const askedAt = performance.now();
    let connection = null;
    const reader = new WebSocketReader();
    let served = null;
    try {
      connection = await Connection.open(target, () => reader);
      served = await connection.ask(upgrade(target));
      if (served.status >= 500) throw new Failure("5xx", `${served.status} for an upgrade`);
      if (served.status !== 101) throw new Failure("garbled", `${served.status} for an upgrade`);
      run.webSocket.succeeded("webSocket", askedAt, 0, served);
    } catch (error) {
      run.webSocket.failed("webSocket", error);
      connection?.close();
      continue;
    }
    await talk(connection, reader, served, run);
    connection.close();
  }
}

async function talk(connection, reader, served, run) {
  for (let number = 0; await run.pause("short"); number += 1) {
    if (!connection.isOpen || reader.closeStatus !== null) {
      run.closings.push(closing(connection, reader, served, false));
      return;
    }
    const word = `word-${number}`;
    const askedAt = performance.now();
    try {
      const echo = await connection.ask(frame(OPCODE.text, Buffer.from(word)));
      if (echo !== word) throw new Failure("garbled", `"${echo}" for "${word}"`);
      run.webSocket.succeeded("webSocket", askedAt, 0, served);
    } catch (error) {
      run.closings.push(closing(connection, reader, served, true));
      run.webSocket.failed("webSocket", error);
      return;
    }
  }
}

/** @param midway a word was on its way */
function closing(connection, reader, served, midway) {
  const by = reader.closeStatus === null ? (connection.ended ?? "open") : `close ${reader.closeStatus}`;
  return { at: connection.endedAt ?? Date.now(), by, process: Number(served.process), midway };
}

function upgrade(target) {
  return (
    `GET /ws HTTP/1.1\r\nhost: ${target.host}:${target.port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
    `sec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString("base64")}\r\n\r\n`
  );
}

function frame(opcode, payload) {
  const mask = randomBytes(4);
  const masked = payload.map((byte, at) => byte ^ mask[at % 4]);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask, masked]);
}
