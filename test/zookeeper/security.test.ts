import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type SessionState, type ZooKeeperOptions } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { creatorAcl } from "../../src/zookeeper/znode.ts";
import { makeCertificates, type Certificates } from "../harness/certificates.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy } from "../harness/proxy.ts";
import { tempDir } from "../harness/tempdir.ts";
import { failureOf } from "../harness/zookeeper_link.ts";
import { startSecureZooKeeper, type SecureZooKeeper } from "../harness/zookeeper_secure.ts";
import { reconnected, statesOf } from "../harness/zookeeper_states.ts";

// Hashed as ISO 8859-1, and as UTF-8.
const users = { agent: 'sésame, "ouvre" \\ toi', other: "開けゴマ" };

let directory: { path: string } & AsyncDisposable;
let certificates: Certificates;
/** Speaks TLS 1.2 and offers SASL. */
let secure: SecureZooKeeper;
/** Speaks TLS 1.3 and insists on SASL. */
let strict: SecureZooKeeper;
/** Knows nothing of SASL and has a certificate that is past. */
let lax: SecureZooKeeper;
let opened: ZooKeeper[] = [];

beforeAll(async () => {
  directory = await tempDir();
  certificates = await makeCertificates(directory.path);
  const common = { directory: directory.path, caFile: certificates.caFile, certificate: certificates.server };
  [secure, strict, lax] = await Promise.all([
    startSecureZooKeeper({ ...common, protocol: "TLSv1.2", users: users }),
    startSecureZooKeeper({ ...common, protocol: "TLSv1.3", users: users, requireSasl: true }),
    startSecureZooKeeper({ ...common, protocol: "TLSv1.2", certificate: certificates.expired }),
  ]);
}, 60_000);

afterEach(async () => {
  await Promise.all(opened.map((each) => each.close()));
  opened = [];
});

afterAll(async () => {
  for (const each of [secure, strict, lax]) await each[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

function open(options: Partial<ZooKeeperOptions> & { servers: string }): ZooKeeper {
  const client = new ZooKeeper({ clock: systemClock, sessionTimeoutMs: 5_000, onError: () => undefined, ...options });
  opened.push(client);
  return client;
}

function mutual(options: Partial<ZooKeeperOptions> = {}): ZooKeeper {
  const { ca, client } = certificates;
  const tls = { ca, cert: client.cert, key: client.key, ...options.tls };
  return open({ servers: `127.0.0.1:${secure.tlsPort}`, ...options, tls });
}

/** The end of a client that is refused: code and reason, and that nothing is tried after it. */
async function refusal(options: Partial<ZooKeeperOptions>, port: number): Promise<{ code: string; reason: string }> {
  await using proxy = await startProxy(port);
  // A server that is slow because the machine is busy would rightly be tried again.
  const client = open({ ...options, servers: `127.0.0.1:${proxy.port}`, connectTimeoutMs: 30_000 });
  const states: SessionState["kind"][] = statesOf(client);
  const waiting = failureOf(client.get("/"));
  const error = await failureOf(client.connected());
  const { accepted } = proxy;
  expect(accepted).toBe(1);
  const { state } = client;
  expect(state.kind === "auth-failed" ? state.code : state.kind).toBe(error.code as "AUTH_FAILED");
  expect([(await waiting).code, (await failureOf(client.get("/"))).code]).toEqual([error.code, error.code]);
  expect(states).toEqual(["auth-failed"]);
  await eventually(() => proxy.open === 0);
  expect(proxy.accepted).toBe(accepted);
  return { code: error.code, reason: state.kind === "auth-failed" ? state.reason : "" };
}

describe("SASL", () => {
  const sasl = { username: "agent", password: users.agent };

  test("the right password gives the identity, and what is guarded for it", async () => {
    const zk = open({ servers: secure.server.connectString, sasl });
    const stranger = open({ servers: secure.server.connectString });
    await zk.create("/sasl", "", { acl: [{ perms: 31, scheme: "sasl", id: "agent" }] });
    expect(await zk.whoAmI()).toContainEqual({ scheme: "sasl", user: "agent" });
    expect((await failureOf(stranger.get("/sasl"))).code).toBe("NO_AUTH");
    await zk.set("/sasl", "1");
  });

  test("the identity is proved again on the next connection, before the operations that waited", async () => {
    await using proxy = await startProxy(secure.server.port);
    const zk = open({ servers: proxy.connectString, sasl });
    await zk.create("/sasl-again", "", { acl: creatorAcl });
    proxy.refuse();
    await eventually(() => zk.state.kind === "suspended");
    const waiting = zk.set("/sasl-again", "1");
    proxy.resume();
    expect((await waiting).version).toBe(1);
  });

  test("a wrong password is final", async () => {
    const refused = await refusal({ servers: "", sasl: { username: "agent", password: "wrong" } }, secure.server.port);
    expect(refused.code).toBe("AUTH_FAILED");
    expect(refused.reason).toContain("refused the SASL credentials");
  });

  test("a user that is unknown is final", async () => {
    const refused = await refusal({ servers: "", sasl: { username: "nobody", password: "x" } }, secure.server.port);
    expect(refused.code).toBe("AUTH_FAILED");
  });

  test("a server that is not set up for it is final", async () => {
    const refused = await refusal({ servers: "", sasl }, lax.server.port);
    expect(refused).toEqual({ code: "AUTH_FAILED", reason: "the server is not set up for SASL" });
  });

  test("a server that insists on it serves those who do it, and tells others once and for all", async () => {
    const zk = open({ servers: strict.server.connectString, sasl });
    await zk.create("/strict");
    const without = open({ servers: strict.server.connectString });
    const error = await failureOf(without.get("/strict"));
    expect(error.code).toBe("SESSION_CLOSED_REQUIRE_SASL_AUTH");
    expect(without.state).toMatchObject({ kind: "auth-failed", code: "AUTH_FAILED" });
    expect((await failureOf(without.get("/strict"))).code).toBe("AUTH_FAILED");
  });
});

describe("TLS", () => {
  test("both sides prove who they are by certificate, and a megabyte gets through", async () => {
    const zk = mutual();
    await zk.create("/tls", new Uint8Array(1_048_000).fill(7), { acl: creatorAcl });
    expect(await zk.whoAmI()).toContainEqual({ scheme: "x509", user: "CN=agent1" });
    expect((await zk.get("/tls")).data.every((byte) => byte === 7)).toBe(true);
  });

  test("a server may be known by the name in the connect string, or by another that is given", async () => {
    const lookup = async (): Promise<string[]> => ["127.0.0.1"];
    await mutual({ servers: `zk.test:${secure.tlsPort}`, lookup }).connected();
    const { ca, client } = certificates;
    const tls = { ca, cert: client.cert, key: client.key, servername: "zk.test" };
    await mutual({ servers: `other.test:${secure.tlsPort}`, lookup, tls }).connected();
  });

  test("and SASL go together, with TLS 1.3 too", async () => {
    for (const { tlsPort } of [secure, strict]) {
      const sasl = { username: "other", password: users.other };
      const zk = mutual({ servers: `127.0.0.1:${tlsPort}`, sasl });
      expect((await zk.whoAmI()).map((each) => each.scheme).toSorted()).toEqual(["ip", "sasl", "x509"]);
    }
  });

  test("a connection that breaks is made again with the session", async () => {
    await using proxy = await startProxy(secure.tlsPort);
    const zk = mutual({ servers: proxy.connectString });
    await zk.create("/tls-e", "", { mode: "ephemeral" });
    await reconnected(zk, () => proxy.cut());
    expect((await zk.get("/tls-e")).stat.ephemeralOwner).toBe(zk.sessionId);
  });

  test.each([
    ["an authority that we do not know", () => ({ ca: certificates.foreign.cert }), "unable to verify"],
    ["another name", () => ({ ca: certificates.ca, servername: "other.test" }), "other.test"],
  ])("a server vouched for by or for %s is refused by us, and that is final", async (_name, tls, why) => {
    const { cert, key } = certificates.client;
    const refused = await refusal({ servers: "", tls: { cert, key, ...tls() } }, secure.tlsPort);
    expect(refused.code).toBe("TLS_REFUSED_BY_US");
    expect(refused.reason).toContain(why);
  });

  test("a server whose certificate is past is refused by us, unless we are told to take anything", async () => {
    const { ca, client } = certificates;
    const tls = { ca, cert: client.cert, key: client.key };
    const refused = await refusal({ servers: "", tls }, lax.tlsPort);
    expect(refused.code).toBe("TLS_REFUSED_BY_US");
    expect(refused.reason).toContain("expired");
    await mutual({ servers: `127.0.0.1:${lax.tlsPort}`, tls: { ...tls, rejectUnauthorized: false } }).connected();
  });

  test.each([
    ["1.2", () => secure],
    ["1.3", () => strict],
  ])("no certificate of ours, or a foreign one, is refused by the server: TLS %s", async (_name, server) => {
    const { ca, foreign } = certificates;
    for (const own of [{}, { cert: foreign.cert, key: foreign.key }]) {
      const refused = await refusal({ servers: "", tls: { ca, ...own } }, server().tlsPort);
      expect(refused.code).toBe("TLS_REFUSED_BY_SERVER");
      expect(refused.reason).toMatch(/refused our side of the TLS handshake: .*(certificate|handshake failure)/);
    }
  });

  test("one server with a bad certificate does not keep a client from another, and is not silent", async () => {
    const told: unknown[] = [];
    const servers = `127.0.0.1:${lax.tlsPort},127.0.0.1:${secure.tlsPort}`;
    const clock = { ...systemClock, random: () => 0.999_999 };
    const zk = mutual({ servers, clock, onError: (error) => void told.push(error) });
    await zk.connected();
    expect(zk.state).toMatchObject({ server: `127.0.0.1:${secure.tlsPort}` });
    expect(told.map((error) => isZooKeeperError(error, "TLS_REFUSED_BY_US") && error.message)).toEqual([
      expect.stringContaining("expired"),
    ]);
  });

  test("a session whose server's certificate goes bad says why, goes on trying, and comes back", async () => {
    await using proxy = await startProxy(secure.tlsPort);
    const { cert, key } = certificates.foreign;
    const impostor = Bun.listen({
      hostname: "127.0.0.2",
      port: proxy.port,
      tls: { cert, key },
      socket: { data: () => undefined },
    });
    try {
      let ip = "127.0.0.1";
      const told: unknown[] = [];
      const zk = mutual({
        servers: `zk.test:${proxy.port}`,
        lookup: async () => [ip],
        sessionTimeoutMs: 20_000,
        onError: (error) => void told.push(error),
      });
      await zk.connected();
      const { sessionId } = zk;
      ip = "127.0.0.2";
      proxy.cut();
      await eventually(() => zk.state.kind === "suspended" && zk.state.reason.includes("is refused"));
      ip = "127.0.0.1";
      await zk.connected();
      expect(zk.sessionId).toBe(sessionId);
      expect(told.map(String)).toEqual([expect.stringContaining("zk.test")]);
    } finally {
      impostor.stop(true);
    }
  });

  test("a port that speaks the other language leaves the client trying, and says why", async () => {
    const plain = open({ servers: `127.0.0.1:${secure.tlsPort}` });
    const encrypted = mutual({ servers: secure.server.connectString });
    for (const client of [plain, encrypted]) {
      await eventually(() => client.state.kind === "connecting" && client.state.reason !== undefined);
      const error = await failureOf(client.connected({ signal: AbortSignal.timeout(10) }));
      expect(error.message).toContain("127.0.0.1");
    }
  });

  test("options that cannot be used are a TypeError at once", () => {
    const { client, foreign } = certificates;
    for (const tls of [
      { ca: "no certificate" },
      { cert: client.cert },
      { cert: client.cert, key: foreign.key },
      { cert: "x", key: client.key },
    ]) {
      expect(() => new ZooKeeper({ clock: systemClock, servers: "127.0.0.1:1", tls })).toThrow(TypeError);
    }
  });
});
