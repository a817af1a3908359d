// Starts an ensemble of three real servers, says what they are, and stops them when stdin ends.
import { startEnsemble } from "../../harness/zookeeper.ts";

// As in production, so that a server that lags is not given up for it.
await using ensemble = await startEnsemble(3, { tickMs: 2_000 });
process.stdout.write(
  `${JSON.stringify(ensemble.servers.map(({ connectString, port, pid }) => ({ connectString, port, pid })))}\n`,
);
await Bun.stdin.text();
