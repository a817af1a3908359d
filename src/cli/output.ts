import type { DeployError } from "../core/errors.ts";
import { escaped, printableJson } from "../support/printable.ts";
import { oneLine } from "../view/words.ts";
import { paintFor, plainPaint, withPaint, type Paint } from "./paint.ts";
import type { Process } from "./process.ts";

/**
 * Where a verb's output goes. Only data goes to stdout: with `--json` one document, or one event per line; without it
 * text for people. Notes and errors for people go to stderr. With `--json` an error is also a document on stdout,
 * `{"error":{"code","message","hint"}}`, so that a program has to read one stream only.
 *
 * Everything printed here is safe in a terminal. Even if a verb forgets that strangers may have written a text into
 * ZooKeeper, control characters in it are printed by number, and it cannot add lines (docs/adr/0029).
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

  /** A note for people only, beside the data. It may have several lines. */
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

  /** A frame of a screen: its lines, and our own control codes around them. */
  frame(before: string, lines: readonly string[], lineEnd: string, after: string): void {
    this.#process.stdout.write(before + lines.map((line) => this.#safe(line) + lineEnd).join("") + after);
  }

  /** Control codes of ours, and text that is safe already. */
  control(codes: string): void {
    this.#process.stdout.write(codes);
  }

  #safe(line: string): string {
    return this.paint === plainPaint ? escaped(line) : withPaint(line, escaped);
  }
}
