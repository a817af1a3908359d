import type { NotifyTarget } from "../conductor/notice_request.ts";
import { DeployError } from "../core/errors.ts";
import type { NotifyTargets } from "../schema/agent_config.ts";
import { isWithin, networksIn, parseIpAddress } from "../schema/ip_network.ts";
import type { Files } from "../steps/files.ts";
import { readSecretFile } from "../steps/secret_file.ts";

const LEAST_KEY = 16;
const LOOPBACK = networksIn(["127.0.0.0/8", "::1"]);

/**
 * Where a target of agent.toml is, and its key. The files are read again for each notice, so that they can be changed
 * while the agent runs, and what is in them is kept nowhere and stands in no error.
 *
 * @throws DeployError `config-invalid` where agent.toml has no such target, or its files cannot be used
 */
export async function notifyTarget(
  name: string,
  targets: NotifyTargets,
  files: Files,
  isRoot: boolean,
): Promise<NotifyTarget> {
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target === undefined) {
    throw new DeployError(`Cannot tell "${name}" anything: agent.toml of this host has no [notify.${name}].`, {
      code: "config-invalid",
      hint: "Whoever conducts tells it: put the same targets into agent.toml of every host that may, and start their agents again. Until then it waits.",
      retry: true,
    });
  }
  const { url_file, key_file, format, allow_http } = target;
  const read = (path: string): Promise<string> =>
    readSecretFile(path, files, isRoot, (why) => unusable(name, path, why));
  const url = urlIn(name, url_file, await read(url_file), allow_http);
  if (key_file === undefined) return { url, key: null, format };
  const key = (await read(key_file)).trim();
  if (key.length < LEAST_KEY) throw unusable(name, key_file, `a key has at least ${LEAST_KEY} characters`);
  return { url, key, format };
}

/** @throws DeployError `config-invalid` for the first target whose files cannot be used */
export async function requireTargets(targets: NotifyTargets, files: Files, isRoot: boolean): Promise<void> {
  for (const name of Object.keys(targets)) await notifyTarget(name, targets, files, isRoot);
}

function urlIn(name: string, path: string, text: string, allowsHttp: boolean): URL {
  const url = /\s/.test(text.trim()) ? null : URL.parse(text.trim());
  if (url === null || !["https:", "http:"].includes(url.protocol))
    throw unusable(name, path, "it is not one line with an https URL");
  if (url.protocol === "http:" && !allowsHttp && !isLoopback(url.hostname))
    throw unusable(name, path, "everybody on the way reads what goes over http; allow_http = true allows it");
  return url;
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const address = parseIpAddress(host);
  return address === null ? host === "localhost" : LOOPBACK.some((network) => isWithin(address, network));
}

function unusable(name: string, path: string, why: string): DeployError {
  return new DeployError(`Cannot tell "${name}" anything by ${path}: ${why}.`, {
    code: "config-invalid",
    hint: `Let only the agent read the file: chown root: ${path} && chmod 600 ${path}. A url_file holds one URL, a key_file one key.`,
    // The file is read again at each try, and somebody may have corrected it by then.
    retry: true,
  });
}
