import { DeployError } from "../core/errors.ts";
import { isAllowedSource } from "../fetch/source/policy.ts";
import type { SourceLogins } from "../schema/agent_config.ts";
import type { Files } from "./files.ts";
import { readSecretFile } from "./secret_file.ts";

type Header = readonly [name: string, value: string];

/** Headers that belong to the transfer itself: setting one of them would change the transfer. */
const NOT_TO_SAY = /^(?:host|range|if-range|accept-encoding|connection|content-length|transfer-encoding|te|upgrade)$/i;

/**
 * The headers with which this host logs in at a URL: those of the longest source that is a prefix of it. They are read
 * again for each request, so that they can be changed while the agent runs, and are kept nowhere. A URL below no source
 * gets none: credentials go only to the server that they are for, wherever it redirects to.
 *
 * @throws DeployError `config-invalid`, with nothing of the file's content
 */
export async function loginAt(
  url: URL,
  logins: SourceLogins,
  files: Files,
  isRoot: boolean,
): Promise<readonly Header[]> {
  const [nearest] = Object.keys(logins)
    .filter((source) => isAllowedSource(url, [source]))
    .toSorted((one, other) => other.length - one.length);
  return nearest === undefined ? [] : loginOf(nearest, logins, files, isRoot);
}

/** @throws DeployError `config-invalid` for the first file of credentials that cannot be used */
export async function requireLogins(logins: SourceLogins, files: Files, isRoot: boolean): Promise<void> {
  for (const source of Object.keys(logins)) await loginOf(source, logins, files, isRoot);
}

async function loginOf(source: string, logins: SourceLogins, files: Files, isRoot: boolean): Promise<Header[]> {
  const { basic_auth_file, headers_file } = logins[source] ?? {};
  const read = (path: string): Promise<string> =>
    readSecretFile(path, files, isRoot, (why) => unusable(source, path, why));
  const headers = headers_file === undefined ? [] : headersIn(source, headers_file, await read(headers_file));
  if (basic_auth_file === undefined) return headers;
  if (headers.some(([name]) => name.toLowerCase() === "authorization")) {
    throw unusable(source, headers_file ?? "", "it has an authorization header, and basic_auth_file gives another");
  }
  return [...headers, basicAuth(source, basic_auth_file, await read(basic_auth_file))];
}

function basicAuth(source: string, path: string, text: string): Header {
  const login = text.replace(/\r?\n$/, "");
  if (!/^[^:\r\n]+:[^\r\n]+$/.test(login)) throw unusable(source, path, "it is not one line of user:password");
  return ["authorization", `Basic ${Buffer.from(login).toString("base64")}`];
}

function headersIn(source: string, path: string, text: string): Header[] {
  const lines = text.split(/\r?\n/).map((line, at) => ({ line: line.trim(), number: at + 1 }));
  const headers = lines
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }): Header => {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]+)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) {
        throw unusable(source, path, `line ${number} is not a header, as in "Name: value"`);
      }
      if (NOT_TO_SAY.test(name))
        throw unusable(source, path, `line ${number} sets ${name}, which belongs to the download`);
      return [name, value];
    });
  if (headers.length === 0) throw unusable(source, path, "it has no header in it");
  return headers;
}

function unusable(source: string, path: string, why: string): DeployError {
  return new DeployError(`Cannot log in at ${source} by ${path}: ${why}.`, {
    code: "config-invalid",
    hint: `Let only the agent read the file: chown root: ${path} && chmod 600 ${path}. A basic_auth_file holds user:password, a headers_file one header per line.`,
    // The file is read again at each try, and somebody may have corrected it by then.
    retry: true,
  });
}
