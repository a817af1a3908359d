import type { DeployError } from "../core/errors.ts";
import { paintFor, plainPaint, type Paint } from "./paint.ts";
import type { CtlProcess } from "./process.ts";
import { oneLine } from "./text.ts";

/**
 * Where a verb's words go. Data goes to stdout and nothing else does: with `--json` one document, or one event a line;
 * without it text for people. Notes and errors for people go to stderr. With `--json` an error is a document on stdout as
 * well, `{"error":{"code","message","hint"}}`, so that a program has to read one stream only.
 */
export class Output {
  readonly json: boolean;
  readonly paint: Paint;
  readonly #process: CtlProcess;

  constructor(process: CtlProcess, json: boolean) {
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
    this.#process.stdout.write(`${JSON.stringify(document)}\n`);
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.#process.stdout.write(`${lines.join("\n")}\n`);
  }

  /** For people only, beside the data. */
  note(text: string): void {
    this.#process.stderr.write(`${text}\n`);
  }

  error(error: DeployError): void {
    const { code, message, hint } = error;
    if (this.json) this.document({ error: { code, message, hint } });
    this.note(`deployd: ${oneLine(message)}`);
    if (hint !== "") this.note(`  ${oneLine(hint)}`);
  }

  /** Raw bytes for a terminal that a screen is drawn on. */
  raw(text: string): void {
    this.#process.stdout.write(text);
  }
}
