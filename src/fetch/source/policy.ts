import { realpath } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { DeployError } from "../../core/errors.ts";
import { printable } from "../../support/printable.ts";

/** The most rounds of decoding; no honest path needs more than two. */
const MOST_ROUNDS = 8;

/** A URL without what may be secret in it: no credentials, no query, no fragment. */
export function shownUrl(url: URL): string {
  return printable(`${url.protocol}//${url.host}${url.pathname}`);
}

/**
 * Whether the host's own policy allows a build from `url`: one of the prefixes has the same scheme, host and port, and
 * its path is the URL's path or one of its parents, segment by segment. An empty list allows every source; a prefix that
 * is not a URL allows none.
 */
export function isAllowedSource(url: URL, prefixes: readonly string[]): boolean {
  return whyRefused(url, prefixes) === null;
}

/** @throws DeployError `policy-refused` */
export function requireAllowedSource(url: URL, prefixes: readonly string[]): void {
  const why = whyRefused(url, prefixes);
  if (why !== null) throw refusedSource(url, why);
}

/**
 * Segments are compared as they are written: in `group%2Fproject` the slash is part of a name, as in GitLab. Some servers
 * decode first and then resolve "..", so what follows the prefix must stay below it however often it is decoded.
 */
function whyRefused(url: URL, prefixes: readonly string[]): string | null {
  if (prefixes.length === 0) return null;
  const path = segmentsOf(url);
  const above = prefixes.filter((prefix) => {
    const allowed = URL.parse(prefix);
    return allowed !== null && isSameOrigin(allowed, url) && beginsWith(path, segmentsOf(allowed));
  });
  const [nearest] = above;
  if (nearest === undefined) {
    const encoded = /%2f|%5c/i.test([url.pathname, ...prefixes].join(" "))
      ? ", and a %2F or %5C is a part of a name, not a slash"
      : "";
    return `this host accepts builds from ${prefixes.map(shownPrefix).join(", ")} only${encoded}`;
  }
  const stays = above.some((prefix) => staysBelow(path.slice(segmentsOf(new URL(prefix)).length).join("/")));
  return stays ? null : `decoded, its path leaves ${shownPrefix(nearest)}, below which this host accepts builds`;
}

function isSameOrigin(one: URL, other: URL): boolean {
  return one.protocol === other.protocol && one.hostname === other.hostname && one.port === other.port;
}

/** The segments of the path, without empty ones at its ends and with each character in its normalized form. */
function segmentsOf({ pathname }: URL): string[] {
  const segments = pathname.split("/").slice(1).map(normalized);
  return segments.at(-1) === "" ? segments.slice(0, -1) : segments;
}

/**
 * Normalizes by RFC 3986, 6.2.2 and 3.3: hexadecimal digits become upper case, and what need not be encoded in a path is
 * decoded, as in npm's `@scope` and `%40scope`. A semicolon is kept as it is: to some servers it begins a parameter.
 */
function normalized(segment: string): string {
  return segment.replace(/%([0-9a-f]{2})/gi, (encoded, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9._~@:!$&'()*+,=-]/.test(character) ? character : encoded.toUpperCase();
  });
}

function beginsWith(path: readonly string[], parent: readonly string[]): boolean {
  return parent.every((segment, at) => path[at] === segment);
}

/** Whether the path never climbs above where it begins, at any step and however often it is decoded. */
function staysBelow(rest: string): boolean {
  let path = rest;
  for (let rounds = 0; rounds < MOST_ROUNDS; rounds += 1) {
    let depth = 0;
    for (const segment of path.split(/[/\\]/)) {
      // Java servers treat what follows a semicolon as a parameter of the segment.
      const name = segment.replace(/;.*$/s, "");
      if (name === "..") depth -= 1;
      else if (name !== "" && name !== ".") depth += 1;
      if (depth < 0) return false;
    }
    const decoded = path.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    if (decoded === path) return true;
    path = decoded;
  }
  return false;
}

function isAtOrBelow(path: string, parent: string): boolean {
  const base = parent.endsWith("/") ? parent.slice(0, -1) : parent;
  return path === base || path.startsWith(`${base}/`);
}

/**
 * Checks a file again with every symlink resolved, because a link below an allowed directory may lead elsewhere.
 *
 * @returns the file's real path
 * @throws DeployError `policy-refused`, or the system's error if there is no such file
 */
export async function requireAllowedFile(url: URL, prefixes: readonly string[]): Promise<string> {
  const path = await realpath(fileURLToPath(url));
  if (prefixes.length === 0) return path;
  for (const prefix of prefixes) {
    const allowed = URL.parse(prefix);
    if (allowed?.protocol !== "file:") continue;
    const base = await realpath(fileURLToPath(allowed)).catch(() => undefined);
    if (base !== undefined && isAtOrBelow(path, base)) return path;
  }
  throw refusedSource(url, "a symlink leads it out of the places this host accepts builds from");
}

export function refusedSource(url: URL, why: string): DeployError {
  return new DeployError(`Cannot fetch ${shownUrl(url)}: ${why}.`, {
    code: "policy-refused",
    hint: "Publish the build at an allowed source, or extend `sources` in this host's own configuration.",
  });
}

function shownPrefix(prefix: string): string {
  const url = URL.parse(prefix);
  return url === null ? printable(prefix) : shownUrl(url);
}
