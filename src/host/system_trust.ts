import { X509Certificate } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { Authorities, Trust } from "../support/trust.ts";

/** Where systems keep their list of trusted certificate authorities: Debian and Alpine, Red Hat, SUSE, and derived ones. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/var/lib/ca-certificates/ca-bundle.pem",
  "/etc/ssl/cert.pem",
  "/etc/pki/tls/cacert.pem",
];
const DIRECTORIES = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
/** The only file names that OpenSSL looks up in a directory of certificates (openssl-rehash(1)). */
const HASHED_NAME = /^[0-9a-f]{8}\.\d+$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

/**
 * The system's own list of certificate authorities, read again whenever it has changed: an authority that is added to the
 * host is trusted from the next connection on. SSL_CERT_FILE and SSL_CERT_DIR replace the list, as with OpenSSL;
 * NODE_EXTRA_CA_CERTS adds to it.
 */
export function systemTrust(env: Readonly<Record<string, string | undefined>>): Trust {
  const named = (name: string): string | null => env[name] || null;
  const file = named("SSL_CERT_FILE");
  const directories = named("SSL_CERT_DIR");
  const extra = named("NODE_EXTRA_CA_CERTS");
  const isNamed = file !== null || directories !== null;
  const bundles = isNamed ? (file === null ? [] : [file]) : BUNDLES;
  const below = isNamed ? (directories?.split(":").filter((each) => each !== "") ?? []) : DIRECTORIES;
  const watched = [...bundles, ...below, ...(extra === null ? [] : [extra])];
  let known: { readonly key: string; readonly authorities: Authorities | null } | null = null;
  return {
    async authorities() {
      const key = (await Promise.all(watched.map(stamp))).join("\n");
      if (known?.key !== key) known = { key, authorities: await read(bundles, below, extra) };
      if (known.authorities !== null || !isNamed) return known.authorities;
      const names = [file, directories].filter((each) => each !== null).join(" and ");
      throw new DeployError(`Cannot trust any server: ${names} has no certificate in it that can be read.`, {
        code: "config-invalid",
        hint: "SSL_CERT_FILE and SSL_CERT_DIR of the agent's environment name it; correct them, or leave them out to trust whom the system does.",
        retry: true,
      });
    },
  };
}

/** A string that changes with the file's content. */
async function stamp(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found === null ? "" : `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
}

async function read(
  bundles: readonly string[],
  directories: readonly string[],
  extra: string | null,
): Promise<Authorities | null> {
  const certificates = new Set<string>();
  const from: string[] = [];
  const add = (place: string, found: readonly string[]): boolean => {
    const fresh = found.filter((each) => !certificates.has(each));
    fresh.forEach((each) => certificates.add(each));
    if (fresh.length > 0) from.push(place);
    return found.length > 0;
  };
  for (const path of bundles) if (add(path, await certificatesIn(path))) break;
  for (const path of directories) add(path, await certificatesBelow(path));
  if (certificates.size === 0) return null;
  if (extra !== null) add(extra, await certificatesIn(extra));
  return { certificates: [...certificates].join("\n"), from: from.join(" and ") };
}

/** One unreadable certificate would make the whole list unusable, so it is left out. */
async function certificatesIn(path: string): Promise<string[]> {
  const text = await readFile(path, "latin1").catch(() => "");
  return [...text.matchAll(CERTIFICATE)].flatMap(([block]) => {
    try {
      return [new X509Certificate(block).toString().trim()];
    } catch {
      return [];
    }
  });
}

async function certificatesBelow(directory: string): Promise<string[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => HASHED_NAME.test(name)).toSorted();
  return (await Promise.all(names.map((name) => certificatesIn(join(directory, name))))).flat();
}
