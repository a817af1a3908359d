import { startZooKeeper, type RealZooKeeper } from "./zookeeper.ts";

/*
 * One Apache ZooKeeper for many test files, as to start one takes seconds of a processor. As a program it runs the command
 * in its arguments with one beside it, whose address is in the variable, and exits as the command does.
 */

const VARIABLE = "DEPLOYD_TEST_ZOOKEEPER";

/** `stop` ends it where it is this file's alone. */
export type SharedZooKeeper = Pick<RealZooKeeper, "connectString" | "stop"> & AsyncDisposable;

/**
 * For tests that need nothing of a server but its address, and keep to a tree of their own in it: the one that `.ci/test`
 * has started for all of them, else one for this file alone.
 */
export async function sharedZooKeeper(): Promise<SharedZooKeeper> {
  const connectString = process.env[VARIABLE];
  if (connectString === undefined) return startZooKeeper();
  const stop = async (): Promise<void> => {};
  return { connectString, stop, [Symbol.asyncDispose]: stop };
}

/** The server ends with the command, however that ends; and the command is waited for whatever this process is told. */
async function runBesideOne(argv: readonly string[]): Promise<number> {
  await using server = await startZooKeeper();
  const command = Bun.spawn([...argv], {
    env: { ...process.env, [VARIABLE]: server.connectString },
    stdio: ["inherit", "inherit", "inherit"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => command.kill(signal));
  return await command.exited;
}

if (import.meta.main) process.exit(await runBesideOne(process.argv.slice(2)));
