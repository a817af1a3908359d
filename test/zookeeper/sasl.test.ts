import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { DigestMd5, parseDirectives, SaslFailure } from "../../src/zookeeper/digest_md5.ts";

const credentials = { username: "bob", password: "secret" };
const challenge = 'realm="zk-sasl-md5",nonce="OA6MG9tEQGm2hh",charset=utf-8,algorithm=md5-sess,qop="auth"';

function answerTo(text: string, exchange = new DigestMd5(credentials, "OA6MHXh6VqTrRk")): string | Uint8Array {
  const answer = exchange.answer(Buffer.from(text));
  return answer instanceof Uint8Array ? Buffer.from(answer).toString() : answer;
}

/** The server's side of RFC 2831, written from the other end: what it would answer to our response. */
function proofOf(password: string, response: ReadonlyMap<string, string>): string {
  const md5 = (data: string | Buffer): Buffer => createHash("md5").update(data).digest();
  const get = (key: string): string => response.get(key) ?? "";
  const secret = md5(`${get("username")}:${get("realm")}:${password}`);
  const a1 = Buffer.concat([secret, Buffer.from(`:${get("nonce")}:${get("cnonce")}`)]);
  const parts = [md5(a1).toString("hex"), get("nonce"), get("nc"), get("cnonce"), get("qop")];
  return md5([...parts, md5(`:${get("digest-uri")}`).toString("hex")].join(":")).toString("hex");
}

test("the password does not travel, and a server that knows it is believed", () => {
  const exchange = new DigestMd5(credentials);
  const response = String(answerTo(challenge, exchange));
  expect(response).not.toContain(credentials.password);
  const proof = proofOf(credentials.password, parseDirectives(response));
  expect(answerTo(`rspauth=${proof}`, exchange)).toBe("done");
});

test("a server that does not know the password, or proves nothing, is not", () => {
  for (const proof of [(response: string) => `rspauth=${proofOf("guess", parseDirectives(response))}`, () => ""]) {
    const exchange = new DigestMd5(credentials);
    const response = String(answerTo(challenge, exchange));
    expect(() => answerTo(proof(response), exchange)).toThrow(SaslFailure);
  }
});

test("every exchange has randomness of its own", () => {
  const first = parseDirectives(String(answerTo(challenge, new DigestMd5(credentials))));
  const second = parseDirectives(String(answerTo(challenge, new DigestMd5(credentials))));
  expect(first.get("cnonce")).not.toBe(second.get("cnonce"));
  expect(first.get("response")).not.toBe(second.get("response"));
});

test.each([
  ["without a nonce", 'realm="r",algorithm=md5-sess'],
  ["of another mechanism", 'nonce="n",algorithm=md5'],
  ["that asks for encryption by itself", 'nonce="n",algorithm=md5-sess,qop="auth-conf"'],
  ["that is longer than one may be", `nonce="${"n".repeat(5_000)}",algorithm=md5-sess`],
  ["that is empty", ""],
])("a challenge %s is refused", (_name, text) => {
  expect(() => answerTo(text)).toThrow(SaslFailure);
});

test("quotes and backslashes survive both ways", () => {
  const response = answerTo(
    'nonce="a\\"b\\\\c",algorithm=md5-sess',
    new DigestMd5({ username: 'u"\\', password: "p" }),
  );
  const directives = parseDirectives(String(response));
  expect([directives.get("username"), directives.get("nonce")]).toEqual(['u"\\', 'a"b\\c']);
});
