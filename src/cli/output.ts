import type { DeployError } from "../core/errors.ts";
import { escaped, printableJson } from "../support/printable.ts";
import { oneLine } from "../view/words.ts";
import { paintFor, plainPaint, withPaint, type Paint } from "./paint.ts";
import type { Process } from "./process.ts";

/**
 * Where a verb's words go. Data goes to stdout and nothing else does: with `--json` one document, or one event a line;
 * without it text for people. Notes and errors for people go to stderr. With `--json` an error is a document on stdout as
 * well, `{"error":{"code","message","hint"}}`, so that a program has to read one stream only.
 *
 * Whatever goes out here is safe in a terminal: a verb that forgets what strangers may write into ZooKeeper prints their
 * controls and marks by number, and no more lines than it means to (docs/adr/0029).
 */
export class Output {
  readonly json: boolean;
  readonly paint: Paint;
  readonly #process: Process;

  constructor(process: Process, json: boolean) {
    this.json = json;
    this.paint = json ? plainPaint : paintFor(process);
    this.#process = process;
  }

  /** The verb's answer: `document` for programs, or `lines` for people. */
  answer(document: { readonly schema: string; readonly [field: string]: unknown }, lines: readonly string[]): void {
    if (this.json) this.document(document);
    else this.lines(lines);
  }

  document(document: object): void {
    this.#process.stdout.write(`${printableJson(JSON.stringify(document))}\n`);
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.#process.stdout.write(`${lines.map((line) => this.#safe(line)).join("\n")}\n`);
  }

  /** For people only, beside the data. It may have several lines. */
  note(text: string): void {
    const lines = text.split("\n").map((line) => escaped(line));
    this.#process.stderr.write(`${lines.join("\n")}\n`);
  }

  error(error: DeployError): void {
    const { code, message, hint } = error;
    if (this.json) this.document({ error: { code, message, hint } });
    this.note(`deployd: ${oneLine(message)}`);
    if (hint !== "") this.note(`  ${oneLine(hint)}`);
  }

  /** A frame of a screen: its lines, and the codes of ours that go around them. */
  frame(before: string, lines: readonly string[], lineEnd: string, after: string): void {
    this.#process.stdout.write(before + lines.map((line) => this.#safe(line) + lineEnd).join("") + after);
  }

  #safe(line: string): string {
    return this.paint === plainPaint ? escaped(line) : withPaint(line, escaped);
  }
}
