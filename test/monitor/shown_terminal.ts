/** What a terminal shows that is sent these codes: as much of ECMA-48 and xterm's modes as deployd uses, and nothing else. */
export class ShownTerminal {
  readonly columns: number;
  readonly rows: number;
  characters: string[];
  styles: string[];
  readonly modes = new Set<string>();
  /** How many bytes have come. */
  bytes = 0;
  #column = 0;
  #row = 0;
  #style = "0";

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.characters = Array.from({ length: columns * rows }, () => " ");
    this.styles = Array.from({ length: columns * rows }, () => "0");
  }

  send(codes: string): void {
    this.bytes += Buffer.byteLength(codes);
    for (const [part, parameters, final] of codes.matchAll(/\u001b\[([?0-9;]*)([A-Za-z])|[^\u001b]+/g)) {
      if (final === undefined) this.#print(part);
      else this.#control(parameters ?? "", final);
    }
  }

  text(): string[] {
    return Array.from({ length: this.rows }, (_, row) =>
      this.characters
        .slice(row * this.columns, (row + 1) * this.columns)
        .join("")
        .trimEnd(),
    );
  }

  #print(text: string): void {
    for (const { segment } of new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)) {
      const width = Bun.stringWidth(segment);
      if (this.#column + width > this.columns) throw new Error(`"${segment}" goes over the edge of row ${this.#row}`);
      const at = this.#row * this.columns + this.#column;
      this.characters[at] = segment;
      this.styles[at] = this.#style;
      if (width === 2) {
        this.characters[at + 1] = "";
        this.styles[at + 1] = this.#style;
      }
      this.#column += width;
    }
  }

  #control(parameters: string, final: string): void {
    switch (final) {
      case "H": {
        const [row = 1, column = 1] = parameters.split(";").map(Number);
        this.#row = Math.max(1, row) - 1;
        this.#column = Math.max(1, column) - 1;
        return;
      }
      case "J":
        if (parameters !== "2") throw new Error(`nobody clears by ${parameters}`);
        this.characters = this.characters.map(() => " ");
        this.styles = this.styles.map(() => "0");
        return;
      case "m":
        this.#style = parameters;
        return;
      case "h":
        this.modes.add(parameters);
        return;
      case "l":
        this.modes.delete(parameters);
        return;
      default:
        throw new Error(`nobody knows the control sequence ${parameters}${final}`);
    }
  }
}
