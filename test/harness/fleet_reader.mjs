// Reads `current` of the service directories that are its arguments hundreds of times in a second, as whoever serves files
// from there would, and prints a line for every time that it was missing, led nowhere, or led to half a release.
import { readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";

let reads = 0;

function lookAt(root) {
  const target = readlinkSync(join(root, "current"));
  const build = basename(target);
  // The name first and the content behind it then, and the content straight through the link.
  const behind = readFileSync(join(root, target, "page.txt"), "utf8");
  if (behind !== `page of ${build}\n`) throw new Error(`page.txt behind ${target} is ${JSON.stringify(behind)}`);
  const through = readFileSync(join(root, "current", "page.txt"), "utf8");
  if (!/^page of \S+\n$/.test(through)) throw new Error(`page.txt through current is ${JSON.stringify(through)}`);
  const last = readFileSync(join(root, target, "last.txt"), "utf8");
  if (last !== `${build}\n`) throw new Error(`last.txt behind ${target} is ${JSON.stringify(last)}`);
  const installed = readFileSync(join(root, target, "installed.txt"), "utf8");
  if (installed !== `${build}\n`) throw new Error(`installed.txt behind ${target} is ${JSON.stringify(installed)}`);
}

process.on("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify({ reads })}\n`, () => process.exit(0));
});

function round() {
  for (const root of process.argv.slice(2)) {
    reads += 1;
    try {
      lookAt(root);
    } catch (error) {
      process.stdout.write(`${JSON.stringify({ root, problem: String(error), at: new Date().toISOString() })}\n`);
    }
  }
  // It would take a whole processor from those it looks at.
  setTimeout(round, 1);
}
round();
