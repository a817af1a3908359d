import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy on loopback that breaks connections on command. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  readonly connectString: string;
  /** Connections that were made through it so far. */
  readonly accepted: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Cuts every connection at once; new ones are served. */
  cut(): void;
  /** Lets `bytes` more bytes of the next answer through on each connection, then cuts it. */
  cutInsideAnswer(bytes: number): void;
  /** From now on nothing passes in either direction and nobody is told; new connections are accepted and left alone. */
  blackHole(): void;
  /** Answers pass no more, requests still do. */
  blackHoleAnswers(): void;
  /** Undoes `blackHole` and `refuse`; what was held back arrives late. */
  resume(): void;
  /** Cuts everything and closes new connections at once until `resume`. */
  refuse(): void;
  /** Bytes that went to the server in all. */
  readonly bytesToServer: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  answerBytesLeft: number;
}

/** Starts a proxy in front of a port on 127.0.0.1. */
export async function startProxy(targetPort: number): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let passing: "both" | "requests" | "none" = "both";
  let refusing = false;
  let accepted = 0;
  let bytesToServer = 0;

  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  };
  const apply = (pair: Pair): void => {
    if (passing === "none") pair.client.pause();
    else pair.client.resume();
    if (passing === "both") pair.server.resume();
    else pair.server.pause();
  };
  const listener = createServer((client) => {
    accepted += 1;
    if (refusing) {
      client.destroy();
      return;
    }
    const server = connect(targetPort, "127.0.0.1");
    client.setNoDelay(true);
    server.setNoDelay(true);
    const pair: Pair = { client, server, answerBytesLeft: Number.POSITIVE_INFINITY };
    pairs.add(pair);
    client.on("data", (chunk: Buffer) => {
      bytesToServer += chunk.length;
      server.write(chunk);
    });
    server.on("data", (chunk: Buffer) => {
      if (chunk.length < pair.answerBytesLeft) {
        pair.answerBytesLeft -= chunk.length;
        client.write(chunk);
        return;
      }
      const last = chunk.subarray(0, pair.answerBytesLeft);
      pair.answerBytesLeft = 0;
      client.write(last, () => end(pair));
    });
    for (const socket of [client, server]) {
      socket.on("error", () => end(pair));
      socket.on("close", () => end(pair));
    }
    apply(pair);
  });
  const listening = Promise.withResolvers<void>();
  listener.once("error", listening.reject);
  listener.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = listener.address() as AddressInfo;

  const pass = (what: typeof passing): void => {
    passing = what;
    for (const pair of pairs) apply(pair);
  };
  const cut = (): void => {
    for (const pair of pairs) end(pair);
  };
  return {
    port,
    connectString: `127.0.0.1:${port}`,
    get accepted() {
      return accepted;
    },
    get open() {
      return pairs.size;
    },
    get bytesToServer() {
      return bytesToServer;
    },
    cut,
    cutInsideAnswer: (bytes) => {
      for (const pair of pairs) pair.answerBytesLeft = bytes;
    },
    blackHole: () => pass("none"),
    blackHoleAnswers: () => pass("requests"),
    resume: () => {
      refusing = false;
      pass("both");
    },
    refuse: () => {
      refusing = true;
      cut();
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      const closed = Promise.withResolvers<void>();
      listener.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
