/**
 * The rules for names in a build: pure, and the same for packing and unpacking, so that whatever was packed here can be
 * unpacked there.
 */

export type Verdict = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly why: string };

/** deployd's own place in a release; a build must not be able to forge what it finds there. */
const RESERVED = ".deployd";
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3_072;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

function refused(why: string): Verdict {
  return { ok: false, why };
}

/**
 * The path of an entry, relative to the tree's root and without a leading `./` or a directory's trailing slash; "" is
 * the root itself.
 */
export function checkPath(raw: string, kind: "directory" | "other"): Verdict {
  if (raw === "") return refused("the name is empty");
  if (CONTROL.test(raw)) return refused("the name holds control characters");
  if (raw.startsWith("/")) return refused("the name is absolute");
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
    if (segment === "..") return refused('the name holds ".."');
    if (segment === "" || segment === ".") return refused("the name holds an empty or a dot segment");
    if (Buffer.byteLength(segment) > MAX_NAME_BYTES) {
      return refused(`a part of the name is longer than ${MAX_NAME_BYTES} bytes`);
    }
  }
  if (segments[0] === RESERVED) return refused(`the name "${RESERVED}" is reserved for deployd itself`);
  return { ok: true, path };
}

/**
 * Whether a symlink at `path` (already checked) may point to `target`. Leading `..` may climb as far as the root. A `..`
 * behind a name is refused: what it means depends on whether that name is itself a link, which no reading of the text
 * can know. With that, and as every parent directory is a real one, no chain of accepted links leads out.
 */
export function checkLinkTarget(path: string, target: string): Verdict {
  if (target === "") return refused("the link points nowhere");
  if (CONTROL.test(target)) return refused("the link's target holds control characters");
  if (target.startsWith("/")) return refused(`the link's target "${target}" is absolute`);
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
    if (named) return refused(`the link's target "${target}" has ".." behind a name`);
    depth -= 1;
    if (depth < 0) return refused(`the link's target "${target}" leads out of the release`);
  }
  return { ok: true, path: target };
}
