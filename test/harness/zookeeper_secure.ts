import { connect } from "node:net";
import { join } from "node:path";
import type { Certificate } from "./certificates.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { startZooKeeper, type RealZooKeeper } from "./zookeeper.ts";

export interface SecureOptions {
  /** For the files it needs. */
  readonly directory: string;
  /** The certificate it shows, and the file of the authority that its clients' certificates must be from. */
  readonly certificate: Certificate;
  readonly caFile: string;
  readonly protocol: "TLSv1.2" | "TLSv1.3";
  /** Passwords by user, for SASL; none leaves SASL out. */
  readonly users?: Readonly<Record<string, string>>;
  /** Serves nobody who has not proved who they are by SASL. */
  readonly requireSasl?: boolean;
}

export interface SecureZooKeeper extends AsyncDisposable {
  readonly server: RealZooKeeper;
  /** Where it speaks TLS and asks for a client's certificate. */
  readonly tlsPort: number;
}

/** Starts Apache ZooKeeper with a plain port and a TLS port. */
export async function startSecureZooKeeper(options: SecureOptions): Promise<SecureZooKeeper> {
  const { directory, certificate, caFile, protocol, users } = options;
  const tlsPort = await freePort();
  const jaasFile = join(directory, `jaas-${tlsPort}.conf`);
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const lines = Object.entries(users ?? {}).map(([user, password]) => `user_${user}=${quoted(password)}`);
  const login = "org.apache.zookeeper.server.auth.DigestLoginModule required";
  if (users !== undefined) await Bun.write(jaasFile, `Server { ${login} ${lines.join(" ")}; };\n`);
  const server = await startZooKeeper({
    config: [
      `secureClientPort=${tlsPort}`,
      "secureClientPortAddress=127.0.0.1",
      "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
      "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
      ...(users === undefined ? [] : ["authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"]),
      `ssl.keyStore.location=${certificate.file}`,
      "ssl.keyStore.type=PEM",
      `ssl.trustStore.location=${caFile}`,
      "ssl.trustStore.type=PEM",
      `ssl.protocol=${protocol}`,
      `ssl.enabledProtocols=${protocol}`,
      // Its own list of ciphers has none of TLS 1.3.
      ...(protocol === "TLSv1.3" ? ["ssl.ciphersuites=TLS_AES_128_GCM_SHA256"] : []),
    ],
    properties: {
      ...(users === undefined ? {} : { "java.security.auth.login.config": jaasFile }),
      ...(options.requireSasl === true ? { "zookeeper.sessionRequireClientSASLAuth": "true" } : {}),
    },
  });
  // It serves at its plain port before it listens at the other, and ends where it cannot.
  await eventually(() => accepts(tlsPort));
  return { server, tlsPort, [Symbol.asyncDispose]: () => server.stop() };
}

async function accepts(port: number): Promise<boolean> {
  const accepted = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1", () => accepted.resolve(true));
  socket.on("error", () => accepted.resolve(false));
  try {
    return await accepted.promise;
  } finally {
    socket.destroy();
  }
}
