import { join } from "node:path";

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** A file with the key and the certificate, as Apache's servers take it. */
  readonly file: string;
}

export interface Certificates {
  /** An authority, its certificate PEM and the file that has it. */
  readonly ca: string;
  readonly caFile: string;
  /** Of a server at 127.0.0.1, ::1 and zk.test. */
  readonly server: Certificate;
  /** Of a client named agent1. */
  readonly client: Certificate;
  /** Of the server, but it was good for a day only and that is past. */
  readonly expired: Certificate;
  /** Vouched for by nobody else. */
  readonly foreign: Certificate;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const serverNames = "subjectAltName=IP:127.0.0.1,IP:::1,DNS:zk.test";

/** Makes an authority and certificates with openssl, in `directory`. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const at = (name: string): string => join(directory, name);
  const text = (name: string): Promise<string> => Bun.file(at(name)).text();
  const openssl = async (...args: string[]): Promise<void> => {
    const child = Bun.spawn(["openssl", ...args], {
      cwd: directory,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) throw new Error(`openssl ${args.join(" ")}: ${said}`);
  };
  const bundled = async (name: string): Promise<Certificate> => {
    const [cert, key] = await Promise.all([text(`${name}.crt`), text(`${name}.key`)]);
    await Bun.write(at(`${name}.pem`), key + cert);
    return { cert, key, file: at(`${name}.pem`) };
  };
  const selfSigned = async (name: string): Promise<void> =>
    openssl("req", "-x509", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.crt`, "-subj", `/CN=${name}`);
  const signed = async (name: string, extension: string, ...validity: string[]): Promise<Certificate> => {
    await openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    await Bun.write(at(`${name}.ext`), `${extension}\n`);
    const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", `${Bun.hash(name) & 0xffffffn}`];
    const files = ["-in", `${name}.csr`, "-out", `${name}.crt`, "-extfile", `${name}.ext`];
    await openssl("x509", "-req", ...authority, ...files, ...validity);
    return await bundled(name);
  };
  await Promise.all([selfSigned("ca"), selfSigned("foreign")]);
  const [server, client, expired, foreign, ca] = await Promise.all([
    signed("server", serverNames),
    signed("agent1", "subjectAltName=DNS:agent1"),
    signed("expired", serverNames, "-days", "-1"),
    bundled("foreign"),
    text("ca.crt"),
  ]);
  await Bun.write(at("ca.pem"), ca);
  return { ca, caFile: at("ca.pem"), server, client, expired, foreign };
}
