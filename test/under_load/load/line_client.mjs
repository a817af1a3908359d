import { Connection } from "./connection.mjs";
import { Failure } from "./tally.mjs";

/** Reads answers that are a line each, of which the last may be followed by BYE. */
class LineReader {
  #text = "";
  #said = null;

  get isEmpty() {
    return this.#text === "";
  }

  /** BYE that came by itself: the connection is closed as announced. */
  get saidBye() {
    return this.#said;
  }

  push(chunk) {
    this.#text += chunk.toString("latin1");
    const lines = this.#text.split("\n");
    this.#text = lines.pop() ?? "";
    if (lines.includes("BYE")) this.#said = true;
    return lines.find((line) => line !== "BYE") ?? null;
  }

  end() {
    return null;
  }
}

/** Keeps one connection of the line protocol and asks on it; a BYE is obeyed. */
export async function lineClient(target, run) {
  let connection = null;
  let reader = null;
  for (let number = 0; await run.pause("short"); number += 1) {
    const askedAt = performance.now();
    try {
      if (connection === null || reader?.saidBye === true) {
        connection?.close();
        reader = new LineReader();
        connection = null;
        connection = await Connection.open(target, () => reader);
      }
      const word = `word-${number}`;
      const answer = await connection.ask(`${word}\n`);
      const [build, , process, echo] = answer.split(" ");
      if (echo !== word) throw new Failure("garbled", `"${answer.slice(0, 60)}" for "${word}"`);
      run.line.succeeded("line", askedAt, 0, { build, process });
    } catch (error) {
      run.line.failed("line", error);
      connection?.close();
      connection = null;
    }
  }
  connection?.close();
}
