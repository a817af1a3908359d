import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import type { Dial } from "../../src/zookeeper/dial.ts";
import { DigestMd5, parseDirectives, SaslFailure } from "../../src/zookeeper/connection/digest_md5.ts";
import { JuteWriter } from "../../src/zookeeper/wire/jute.ts";
import { noPassword, writeConnectResponse } from "../../src/zookeeper/wire/handshake_records.ts";

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
  const exchange = new DigestMd5(credentials, "OA6MHXh6VqTrRk");
  const response = String(answerTo(challenge, exchange));
  expect(response).not.toContain(credentials.password);
  const proof = proofOf(credentials.password, parseDirectives(response));
  expect(answerTo(`rspauth=${proof}`, exchange)).toBe("done");
});

test("a server that does not know the password, or proves nothing, is not", () => {
  for (const proof of [(response: string) => `rspauth=${proofOf("guess", parseDirectives(response))}`, () => ""]) {
    const exchange = new DigestMd5(credentials, "OA6MHXh6VqTrRk");
    const response = String(answerTo(challenge, exchange));
    expect(() => answerTo(proof(response), exchange)).toThrow(SaslFailure);
  }
});

test("every connection's exchange has randomness of its own", async () => {
  const responses: string[] = [];
  const enough = Promise.withResolvers<void>();
  const dial: Dial = async (_address, _options, events) => {
    const writer = new JuteWriter();
    const answer = (write: () => void): void => {
      writer.reset();
      write();
      const frame = writer.frame();
      queueMicrotask(() => events.data(frame));
    };
    let written = 0;
    return {
      write: (bytes) => {
        written += 1;
        if (written === 1) {
          const session = { timeoutMs: 60_000, sessionId: 7n, password: noPassword, readOnly: false };
          answer(() => writeConnectResponse(writer, session));
        } else if (written === 2) {
          answer(() => writer.int(0).long(0n).int(0).buffer(Buffer.from(challenge)));
        } else {
          responses.push(Buffer.from(bytes).toString("latin1"));
          if (responses.length === 2) enough.resolve();
          queueMicrotask(() => events.ended({ kind: "lost", reason: "cut" }));
        }
        return bytes.length;
      },
      terminate: () => undefined,
    };
  };
  await using zk = new ZooKeeper({ clock: systemClock, servers: "192.0.2.1", sasl: credentials, dial });
  await enough.promise;
  const [first = "", second = ""] = responses.map((each) => parseDirectives(each).get("cnonce"));
  expect(zk.state.kind).not.toBe("connected");
  expect(first.length).toBe(32);
  expect(second.length).toBe(32);
  expect(first).not.toBe(second);
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
    new DigestMd5({ username: 'u"\\', password: "p" }, "OA6MHXh6VqTrRk"),
  );
  const directives = parseDirectives(String(response));
  expect([directives.get("username"), directives.get("nonce")]).toEqual(['u"\\', 'a"b\\c']);
});
