import { expect } from "bun:test";
import { join } from "node:path";

/**
 * Compares `text` with test/golden/<room>/<name>.txt. With UPDATE_GOLDEN=1 the file is written instead; a missing file is a
 * failure like any other, so that nothing is ever compared with itself.
 */
export async function expectGolden(name: string, text: string, room = "ctl"): Promise<void> {
  const path = join(import.meta.dir, "..", "golden", room, `${name}.txt`);
  const ended = text.endsWith("\n") ? text : `${text}\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") await Bun.write(path, ended);
  expect(ended).toBe(await Bun.file(path).text());
}
