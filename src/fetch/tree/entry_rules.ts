/**
 * The rules for names in a build: pure, and the same for packing and unpacking, so that whatever was packed here can be
 * unpacked there.
 */

/** The rules' decision on a name or on a link's target. */
export type Ruling =
  { readonly ok: true; readonly path: string } | { readonly ok: false; readonly why: string; readonly hint?: string };

/** deployd's own directory in a release: a build must not be able to forge what deployd reads there. */
const RESERVED = ".deployd";
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3_072;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

const FROM_WITHIN = "Make the archive from inside the directory, as in: tar -C DIR -c .";

/** @param hint how an honest packer avoids it */
function refused(why: string, hint?: string): Ruling {
  return hint === undefined ? { ok: false, why } : { ok: false, why, hint };
}

/**
 * The path of an entry, relative to the tree's root and without a leading `./` or a directory's trailing slash; "" is
 * the root itself.
 */
export function checkPath(raw: string, kind: "directory" | "other"): Ruling {
  // Python's tarfile names the root so if it is added under an empty name.
  if (raw === "/" && kind === "directory") return { ok: true, path: "" };
  if (raw === "") return refused("the name is empty");
  if (CONTROL.test(raw)) return refused("the name holds control characters", "Rename it, or leave it out.");
  if (raw.startsWith("/")) return refused("the name is absolute", `${FROM_WITHIN} (without -P)`);
  if (raw.endsWith("/") && kind !== "directory") return refused("the name ends in a slash, but it is no directory");
  let path = raw;
  while (path.startsWith("./")) path = path.slice(2);
  if (path.endsWith("/")) path = path.slice(0, -1);
  if (path === "." || path === "") {
    return kind === "directory" ? { ok: true, path: "" } : refused("it would replace the release directory");
  }
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return refused(`the name is longer than ${MAX_PATH_BYTES} bytes`);
  const segments = path.split("/");
  for (const segment of segments) {
    if (segment === "..") return refused('the name holds ".."', FROM_WITHIN);
    if (segment === "" || segment === ".") return refused("the name holds an empty or a dot segment");
    if (Buffer.byteLength(segment) > MAX_NAME_BYTES) {
      return refused(`a part of the name is longer than ${MAX_NAME_BYTES} bytes`);
    }
  }
  if (segments[0] === RESERVED) {
    return refused(`the name "${RESERVED}" is reserved for deployd itself`, `Leave it out with --exclude ${RESERVED}.`);
  }
  return { ok: true, path };
}

/**
 * Whether a symlink at `path` (already checked) may point to `target`. Leading `..` may climb as far as the root. A `..`
 * after a name is refused: its meaning depends on whether that name is itself a link, which the text alone cannot tell.
 * Because of that, and because every parent directory is a real one, no chain of accepted links leads out.
 */
export function checkLinkTarget(path: string, target: string): Ruling {
  if (target === "") return refused("the link points nowhere");
  if (CONTROL.test(target)) return refused("the link's target holds control characters");
  if (target.startsWith("/")) {
    return refused(
      `the link's target "${target}" is absolute`,
      "Make the link relative, or leave it out with --exclude. A Python virtual environment has none when it is made with " +
        "python3 -m venv --copies, or by an install step on the host.",
    );
  }
  if (Buffer.byteLength(target) > MAX_PATH_BYTES) {
    return refused(`the link's target is longer than ${MAX_PATH_BYTES} bytes`);
  }
  let depth = path.split("/").length - 1;
  let named = false;
  for (const segment of target.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") {
      named = true;
      continue;
    }
    if (named)
      return refused(`the link's target "${target}" has ".." behind a name`, "Point it there without a detour.");
    depth -= 1;
    if (depth < 0) {
      return refused(
        `the link's target "${target}" leads out of the release`,
        "Bring along what it points to, as tar -h does, or leave it out with --exclude.",
      );
    }
  }
  return { ok: true, path: target };
}
