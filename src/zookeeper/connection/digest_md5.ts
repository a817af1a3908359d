import { createHash, timingSafeEqual } from "node:crypto";
import type { SaslCredentials } from "../options.ts";

/** The exchange cannot go on: the other side violates the protocol, or does not know the password itself. */
export class SaslFailure extends Error {}

// In this mechanism every ZooKeeper server has this name, whatever its host is called.
const digestUri = "zookeeper/zk-sasl-md5";
const nonceCount = "00000001";
// RFC 2831, sections 2.1.1 and 2.1.3.
const maxTokenBytes = 2048;

/**
 * The client's side of SASL DIGEST-MD5 (RFC 2831) as ZooKeeper servers speak it. The password is never sent, and the
 * server must prove that it knows it too. The mechanism prescribes MD5; use TLS on an untrusted network.
 */
export class DigestMd5 {
  readonly #credentials: SaslCredentials;
  readonly #cnonce: string;
  #expectedProof: string | undefined;

  /** @param cnonce the client's random share, a new one for each exchange */
  constructor(credentials: SaslCredentials, cnonce: string) {
    this.#credentials = credentials;
    this.#cnonce = cnonce;
  }

  /**
   * The answer to a token of the server, or "done".
   * @throws SaslFailure
   */
  answer(token: Uint8Array): Uint8Array | "done" {
    if (token.byteLength > maxTokenBytes) throw new SaslFailure(`the server sent a token of ${token.byteLength} bytes`);
    const directives = parseDirectives(Buffer.from(token).toString("utf8"));
    if (this.#expectedProof === undefined) return Buffer.from(this.#respond(directives));
    const proof = directives.get("rspauth");
    if (proof === undefined) throw new SaslFailure("the server gave no proof that it knows the password");
    if (!sameText(proof, this.#expectedProof)) throw new SaslFailure("the server does not know the password");
    return "done";
  }

  #respond(challenge: ReadonlyMap<string, string>): string {
    const nonce = challenge.get("nonce");
    if (nonce === undefined) throw new SaslFailure("the server's challenge has no nonce");
    if (challenge.get("algorithm") !== "md5-sess") throw new SaslFailure("the server's challenge is not of DIGEST-MD5");
    const offered = (challenge.get("qop") ?? "auth").split(",").map((each) => each.trim());
    if (!offered.includes("auth")) throw new SaslFailure(`the server asks for ${offered.join()} and not for auth`);
    const realm = challenge.get("realm") ?? "";
    const { username, password } = this.#credentials;
    const secret = createHash("md5")
      .update(legacyBytes([username, realm, password].join(":")))
      .digest();
    const session = createHash("md5").update(secret).update(`:${nonce}:${this.#cnonce}`).digest("hex");
    const sign = (verb: string): string =>
      md5(`${session}:${nonce}:${nonceCount}:${this.#cnonce}:auth:${md5(`${verb}:${digestUri}`)}`);
    this.#expectedProof = sign("");
    return [
      "charset=utf-8",
      `username=${quoted(username)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `nc=${nonceCount}`,
      `cnonce=${quoted(this.#cnonce)}`,
      `digest-uri=${quoted(digestUri)}`,
      "maxbuf=65536",
      `response=${sign("AUTHENTICATE")}`,
      "qop=auth",
    ].join(",");
  }
}

/** `key=value,key="quoted \"value\""`. */
export function parseDirectives(text: string): Map<string, string> {
  const directives = new Map<string, string>();
  const pattern = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/g;
  for (const [, key = "", inQuotes, plain] of text.matchAll(pattern)) {
    // A key may appear twice (realm may); the first counts.
    const value = inQuotes === undefined ? (plain ?? "") : inQuotes.replace(/\\(.)/g, "$1");
    if (!directives.has(key.toLowerCase())) directives.set(key.toLowerCase(), value);
  }
  return directives;
}

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** RFC 2831, section 2.1.2.1: text that fits ISO 8859-1 is hashed as such, even when it travels as UTF-8. */
function legacyBytes(text: string): Buffer {
  return Buffer.from(text, /^[\u0000-\u00ff]*$/.test(text) ? "latin1" : "utf8");
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
