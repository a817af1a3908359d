import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { systemTrust } from "../../src/host/system_trust.ts";
import { makeCertificates } from "../harness/certificates.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";

let ours = "";
let theirs = "";
beforeAll(async () => {
  await using dir = await tempDir();
  const { ca, foreign } = await makeCertificates(dir.path);
  ours = ca.trim();
  theirs = foreign.cert.trim();
});

const BROKEN = "-----BEGIN CERTIFICATE-----\nMIIBhTCCASugAwIBAgIU\n-----END CERTIFICATE-----\n";

/** Those that are trusted, of the two that the tests know. */
async function trusted(env: Record<string, string | undefined>): Promise<{ who: string[]; from: string }> {
  const found = await systemTrust(env).authorities();
  const has = (certificate: string): boolean => found?.certificates.includes(certificate) ?? false;
  return { who: [...(has(ours) ? ["ours"] : []), ...(has(theirs) ? ["theirs"] : [])], from: found?.from ?? "" };
}

test("a file that is named counts alone", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/list.pem`;
  writeFileSync(file, ours);
  const found = await systemTrust({ SSL_CERT_FILE: file }).authorities();
  expect(found).toEqual({ certificates: ours, from: file });
});

test("words and line ends of Windows between the certificates do no harm, nor does one that cannot be read", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/list.pem`;
  writeFileSync(file, `# Ours\r\n${BROKEN}${ours.replaceAll("\n", "\r\n")}\r\n# and theirs: ü\n${theirs}`);
  expect(await trusted({ SSL_CERT_FILE: file })).toEqual({ who: ["ours", "theirs"], from: file });
});

test("in directories those count whom OpenSSL would find there", async () => {
  await using dir = await tempDir();
  const [one, other] = [`${dir.path}/one`, `${dir.path}/other`];
  mkdirSync(one);
  mkdirSync(other);
  writeFileSync(`${one}/ours.pem`, ours);
  writeFileSync(`${other}/theirs.pem`, theirs);
  const env = { SSL_CERT_DIR: `${one}:${other}` };
  expect((await rejection(trusted(env))).message).toContain(`${one}:${other} has no certificate in it`);
  symlinkSync("ours.pem", `${one}/0a1b2c3d.0`);
  expect(await trusted(env)).toEqual({ who: ["ours"], from: one });
  symlinkSync("theirs.pem", `${other}/0a1b2c3d.0`);
  expect(await trusted(env)).toEqual({ who: ["ours", "theirs"], from: `${one} and ${other}` });
});

test("what changes is read anew, also what was not there before", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/list.pem`;
  const trust = systemTrust({ SSL_CERT_FILE: file });
  const error = await rejection(trust.authorities());
  expect(error).toMatchObject({ code: "config-invalid", retry: true });
  expect(error.message).toContain(file);
  writeFileSync(file, ours);
  expect((await trust.authorities())?.certificates).toBe(ours);
  writeFileSync(file, theirs);
  expect((await trust.authorities())?.certificates).toBe(theirs);
});

test("a further file adds to the system's list, and each certificate is taken once", async () => {
  await using dir = await tempDir();
  const [file, extra] = [`${dir.path}/list.pem`, `${dir.path}/extra.pem`];
  writeFileSync(file, ours);
  writeFileSync(extra, `${ours}\n${theirs}`);
  const found = await systemTrust({ SSL_CERT_FILE: file, NODE_EXTRA_CA_CERTS: extra }).authorities();
  expect(found).toEqual({ certificates: `${ours}\n${theirs}`, from: `${file} and ${extra}` });
});

test("without a word of the environment, and with empty ones, it is the system's list", async () => {
  const bundle = readFileSync("/etc/ssl/certs/ca-certificates.crt", "utf8");
  for (const env of [{}, { SSL_CERT_FILE: "", SSL_CERT_DIR: "" }]) {
    const found = await systemTrust(env).authorities();
    expect(found?.from).toStartWith("/etc/ssl/certs/ca-certificates.crt");
    const count = (text: string): number => text.match(/BEGIN CERTIFICATE/g)?.length ?? 0;
    expect(count(found?.certificates ?? "")).toBeGreaterThanOrEqual(count(bundle));
  }
});
