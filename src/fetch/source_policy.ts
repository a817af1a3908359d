import { realpath } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { DeployError } from "../core/errors.ts";
import { printable } from "./printable.ts";

/** A URL without what may be secret in it: no credentials, no query, no fragment. */
export function shownUrl(url: URL): string {
  return printable(`${url.protocol}//${url.host}${url.pathname}`);
}

/**
 * Whether the host's own policy lets a build come from `url`: one of the prefixes has the same scheme, host and port,
 * and its path is the URL's path or one of its parents, segment by segment. No prefix at all allows every source; a
 * prefix that is no URL allows none.
 */
export function isAllowedSource(url: URL, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0) return true;
  // URL parsing has resolved `..` and `%2e%2e`, but a server may still take these for separators and climb.
  if (/%2f|%5c/i.test(url.pathname)) return false;
  return prefixes.some((prefix) => {
    const allowed = URL.parse(prefix);
    if (allowed === null) return false;
    return (
      allowed.protocol === url.protocol &&
      allowed.hostname === url.hostname &&
      allowed.port === url.port &&
      isAtOrBelow(url.pathname, allowed.pathname)
    );
  });
}

function isAtOrBelow(path: string, parent: string): boolean {
  const base = parent.endsWith("/") ? parent.slice(0, -1) : parent;
  return path === base || path.startsWith(`${base}/`);
}

/** @throws DeployError `policy-refused` */
export function requireAllowedSource(url: URL, prefixes: readonly string[]): void {
  if (isAllowedSource(url, prefixes)) return;
  throw refusedSource(url, `this host accepts builds from ${prefixes.map(shownPrefix).join(", ")} only`);
}

/**
 * The same for a file, once more with every symlink resolved, as a link below an allowed directory may lead elsewhere.
 *
 * @returns the file's real path
 * @throws DeployError `policy-refused`, or the system's error when there is no such file
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
