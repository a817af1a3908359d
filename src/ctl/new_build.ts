import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { usageError } from "../cli/usage_error.ts";
import { DeployError, isDeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { digestOfFile } from "../fetch/digest.ts";
import { printable } from "../support/printable.ts";
import { shownUrl } from "../fetch/source/policy.ts";
import type { Digest } from "../schema/names.ts";
import { packManifestSchema, type PackManifest } from "../schema/pack_manifest.ts";
import type { BuildRecord } from "../schema/znodes.ts";
import { checkBuild, type CheckedBuild } from "../steps/build_check.ts";
import type { Clock } from "../support/clock.ts";
import { secretInUrl } from "../support/secret_url.ts";

/** What the command line says about a build that is to be added. */
export interface NewBuildRequest {
  /** A path, or a URL that hosts can fetch. */
  readonly from: string;
  readonly build: string | undefined;
  readonly url: string | undefined;
  readonly digest: Digest | undefined;
  readonly size: number | undefined;
  /** 1 leaves out the one directory that everything in the archive lies in; 0 keeps it. */
  readonly strip: 0 | 1 | undefined;
}

export interface NewBuild {
  readonly id: string;
  readonly artifact: Pick<BuildRecord, "url" | "digest" | "size" | "entries" | "unpackedBytes" | "strip">;
  /** What people should know before a host runs into it. */
  readonly notes: readonly string[];
}

/**
 * The id and the artifact of a new build. A file is read as hosts will read it, and compared with everything that is said
 * about it (command line, manifest). A URL is not fetched: its digest and size are taken as given.
 *
 * @throws DeployError `usage`, `manifest-invalid`, `digest-mismatch`, `archive-hostile`, `archive-invalid`
 */
export async function newBuild(request: NewBuildRequest, clock: Clock, signal: AbortSignal): Promise<NewBuild> {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(request.from);
  // These checks come first, because later messages quote the URLs.
  for (const url of [isUrl ? request.from : undefined, request.url]) if (url !== undefined) requirePublic(url);
  return isUrl ? fromUrl(request) : fromFile(request, clock, signal);
}

/**
 * Everybody who can read ZooKeeper can read a build's URL, so it must carry no secret. Hosts authenticate to the source
 * by their own configuration.
 */
function requirePublic(text: string): void {
  const url = URL.parse(text);
  const problem = url === null ? "its URL cannot be read" : secretInUrl(url);
  if (url === null) throw usageError(`Cannot add a build: ${problem}.`, "A URL begins with its scheme, https://…");
  if (problem === null) return;
  throw usageError(
    `Cannot add a build from ${shownUrl(url)}: ${problem}, and everybody who can read ZooKeeper could read it.`,
    `Give the URL without it, and have each host log in by itself: under [sources."${url.origin}"] of its agent.toml, by ` +
      "basic_auth_file or headers_file. Where a URL must be signed, have the source redirect to it.",
  );
}

function fromUrl({ from, build, url, digest, size, strip }: NewBuildRequest): NewBuild {
  const attempted = `Cannot add a build from ${from}`;
  if (url !== undefined && url !== from) throw usageError(`${attempted}: --url says ${url}.`, "Give one URL.");
  if (digest === undefined || size === undefined) {
    throw usageError(
      `${attempted}: its digest and size are not known.`,
      "Give both as --digest sha256:… and --size BYTES, or give the file itself together with --url.",
    );
  }
  if (build === undefined) throw usageError(`${attempted}: it has no id.`, "Give one with --build.");
  return { id: build, artifact: { url: from, digest, size, ...(strip === undefined ? {} : { strip }) }, notes: [] };
}

async function fromFile(request: NewBuildRequest, clock: Clock, signal: AbortSignal): Promise<NewBuild> {
  const path = resolve(request.from);
  const attempted = `Cannot add a build from ${path}`;
  await assertFile(path, attempted);
  const manifest = await readManifest(`${path}.manifest.json`);
  const id = request.build ?? manifest?.build;
  if (id === undefined) {
    throw usageError(`${attempted}: it has no id.`, "Give one with --build, or pack it with deployd pack --build.");
  }
  if (manifest?.build !== undefined && manifest.build !== id) {
    throw usageError(
      `${attempted}: --build says ${id}, its manifest says ${manifest.build}.`,
      "Leave --build out, or pack it again under the other id.",
    );
  }
  const found = await digestOfFile(path, clock, signal);
  agree(attempted, found.digest, found.bytes, request.digest, request.size, "the command line says");
  agree(attempted, found.digest, found.bytes, manifest?.digest, manifest?.size, "its manifest says");
  const { strip } = request;
  const checked = await checkBuild({ archive: path, build: id, strip }, { clock, signal }).catch((error: unknown) => {
    throw isDeployError(error) ? refusedByHosts(attempted, error) : error;
  });
  requireMeant(attempted, checked, { strip, isPacked: manifest !== null });
  return {
    id,
    artifact: {
      url: request.url ?? Bun.pathToFileURL(path).href,
      digest: found.digest,
      size: found.bytes,
      entries: checked.entries,
      unpackedBytes: checked.unpackedBytes,
      ...(strip === undefined ? {} : { strip }),
    },
    notes: checked.notes,
  };
}

/** Hosts would report the same error, so it is told in their words. */
function refusedByHosts(attempted: string, error: DeployError): DeployError {
  const { code, hint, cause } = error;
  if (code === "aborted") return error;
  return new DeployError(`${attempted}, because no host would accept it: ${error.message}`, { code, hint, cause });
}

/**
 * @param said `isPacked`: the archive was packed with deployd from a named directory, so its contents are meant as they
 *   are
 */
function requireMeant(
  attempted: string,
  { top, buried }: CheckedBuild,
  { strip, isPacked }: { strip: 0 | 1 | undefined; isPacked: boolean },
): void {
  const isSaid = strip !== undefined || isPacked;
  if (buried !== null && top?.hasRecipe !== true && !isSaid) throw misplaced(attempted, buried);
  if (top === null) return;
  const { name, hasRecipe, isStripped } = top;
  if (isStripped && strip === 0) {
    throw usageError(
      `${attempted} with --strip 0: its deployd.toml says strip = 1, and hosts go by that.`,
      "Leave --strip out, or remove that line from the file and make the archive again.",
    );
  }
  if (isStripped || strip === 0 || (isPacked && !hasRecipe)) return;
  throw usageError(
    `${attempted}: everything in it is below "${name}/", and would be in ${name}/ of the release` +
      `${hasRecipe ? ", where no host looks for its deployd.toml" : ""}.`,
    `Leave that directory out with --strip 1${hasRecipe ? ", or by strip = 1 in its deployd.toml" : ""}; --strip 0 keeps it.`,
  );
}

/** @param buried path of a file that may be meant as the build's recipe */
function misplaced(attempted: string, buried: string): DeployError {
  const from = dirname(buried);
  return usageError(
    `${attempted}: hosts look for deployd.toml at the top of a build, and not at "${printable(buried)}".`,
    from === "."
      ? "Call it deployd.toml; --strip 0 takes the archive as it is."
      : `Make the archive from inside that directory, as in: tar -czf FILE -C ${printable(from)} . ; --strip 0 takes it as it is.`,
  );
}

async function assertFile(path: string, attempted: string): Promise<void> {
  try {
    if ((await stat(path)).isFile()) return;
  } catch (error) {
    throw usageError(
      `${attempted}: it cannot be read.`,
      "Check the path; a URL begins with its scheme, https://…",
      error,
    );
  }
  throw usageError(`${attempted}: it is not a file.`, "Pack the directory first, with deployd pack.");
}

async function readManifest(path: string): Promise<PackManifest | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  const facts = { code: "manifest-invalid", hint: "Write it with deployd pack, or move it away." } as const;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new DeployError(`Cannot use ${path}: it is not JSON.`, { ...facts, cause });
  }
  return parseOrThrow(packManifestSchema, json, path, facts);
}

function agree(
  attempted: string,
  foundDigest: Digest,
  foundBytes: number,
  saidDigest: Digest | undefined,
  saidBytes: number | undefined,
  who: string,
): void {
  const digestDiffers = saidDigest !== undefined && saidDigest !== foundDigest;
  const sizeDiffers = saidBytes !== undefined && saidBytes !== foundBytes;
  if (!digestDiffers && !sizeDiffers) return;
  const said = [saidDigest, saidBytes === undefined ? undefined : `${saidBytes} bytes`].filter((x) => x !== undefined);
  throw new DeployError(
    `${attempted}: the file has ${foundDigest} and ${foundBytes} bytes, ${who} ${said.join(" and ")}.`,
    { code: "digest-mismatch", hint: "The file has changed since; pack it again." },
  );
}
