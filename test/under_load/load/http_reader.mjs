/** Reads HTTP/1.1 answers to GET, one after the other: by length, in chunks, or until the end of the connection. */
export class HttpReader {
  #bytes = Buffer.alloc(0);
  #head = null;
  #body = [];
  /** What of the body is still to come; null: until the connection ends. */
  #left = 0;
  #chunk = "size";

  get isEmpty() {
    return this.#head === null && this.#bytes.length === 0;
  }

  push(chunk) {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (this.#head === null && !this.#readHead()) return null;
    return this.#head.chunked ? this.#readChunks() : this.#readLength();
  }

  end() {
    return this.#head !== null && this.#left === null ? this.#whole() : null;
  }

  #readHead() {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end === -1) return false;
    const [first = "", ...lines] = this.#bytes.subarray(0, end).toString("latin1").split("\r\n");
    this.#bytes = this.#bytes.subarray(end + 4);
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]);
    if (!(status >= 200)) throw new Error(`a first line "${first.slice(0, 60)}"`);
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const chunked = /\bchunked\b/i.test(headers["transfer-encoding"] ?? "");
    const length = headers["content-length"];
    const none = status === 204 || status === 304;
    if (none) this.#left = 0;
    else if (!chunked) this.#left = length === undefined ? null : Number(length);
    const closes = /\bclose\b/i.test(headers["connection"] ?? "") || (this.#left === null && !chunked);
    this.#head = { status, headers, chunked: chunked && !none, closes };
    return true;
  }

  #readLength() {
    const taken = this.#left === null ? this.#bytes.length : Math.min(this.#left, this.#bytes.length);
    this.#take(taken);
    if (this.#left === null) return null;
    this.#left -= taken;
    return this.#left === 0 ? this.#whole() : null;
  }

  #readChunks() {
    for (;;) {
      if (this.#chunk === "data") {
        const taken = Math.min(this.#left, this.#bytes.length);
        this.#take(taken);
        this.#left -= taken;
        if (this.#left > 0) return null;
        this.#chunk = "end of data";
      }
      const end = this.#bytes.indexOf("\r\n");
      if (end === -1) return null;
      const line = this.#bytes.subarray(0, end).toString("latin1");
      this.#bytes = this.#bytes.subarray(end + 2);
      switch (this.#chunk) {
        case "end of data":
          if (line !== "") throw new Error("a chunk that is longer than it says");
          this.#chunk = "size";
          break;
        case "size": {
          const digits = /^([0-9a-fA-F]+) *(?:;.*)?$/.exec(line)?.[1];
          if (digits === undefined) throw new Error(`a chunk of size "${line.slice(0, 20)}"`);
          this.#left = Number.parseInt(digits, 16);
          this.#chunk = this.#left === 0 ? "trailer" : "data";
          break;
        }
        default:
          // The trailer ends with an empty line, as the head does.
          if (line === "") return this.#whole();
      }
    }
  }

  #take(count) {
    if (count === 0) return;
    this.#body.push(this.#bytes.subarray(0, count));
    this.#bytes = this.#bytes.subarray(count);
  }

  #whole() {
    // One question is asked at a time, so nothing may follow the answer.
    if (this.#bytes.length > 0) throw new Error(`${this.#bytes.length} bytes after the end of an answer`);
    const { status, headers, closes } = this.#head;
    const body = Buffer.concat(this.#body).toString("utf8");
    this.#head = null;
    this.#body = [];
    this.#left = 0;
    this.#chunk = "size";
    return { status, headers, closes, body };
  }
}
