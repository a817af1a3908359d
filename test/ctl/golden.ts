import { expect } from "bun:test";
import { join } from "node:path";

const directory = join(import.meta.dir, "..", "golden", "ctl");

/**
 * Compares `text` with test/golden/ctl/<name>.txt. With UPDATE_GOLDEN=1 the file is written instead; a missing file is a
 * failure like any other, so that nothing is ever compared with itself.
 */
export async function expectGolden(name: string, text: string): Promise<void> {
  const path = join(directory, `${name}.txt`);
  const ended = text.endsWith("\n") ? text : `${text}\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") await Bun.write(path, ended);
  expect(ended).toBe(await Bun.file(path).text());
}
