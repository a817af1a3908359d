import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../harness/fleet_program.ts";

/** One host: a network namespace and a directory of its own on the tmpfs. */
export interface Machine {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  /** Puts a command into the host's network. */
  readonly inside: readonly string[];
}

/** Where the outside of all hosts is: the deployer's own machine, ZooKeeper and the server of builds. */
export const OUTSIDE = "198.18.0.1";

/** Makes so many hosts on one switch. Addresses are of the block that is reserved for benches (RFC 2544). */
export async function makeMachines(directory: string, count: number): Promise<Machine[]> {
  await ip("link", "set", "lo", "up");
  await ip("link", "add", "switch", "type", "bridge");
  await ip("addr", "add", `${OUTSIDE}/16`, "dev", "switch");
  await ip("link", "set", "switch", "up");
  const machines: Machine[] = [];
  for (let number = 1; number <= count; number += 1) {
    const name = `host-${number}`;
    const address = `198.18.1.${number}`;
    await ip("netns", "add", name);
    await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
    await ip("link", "set", name, "master", "switch", "up");
    await ip("-n", name, "addr", "add", `${address}/16`, "dev", "eth0");
    await ip("-n", name, "link", "set", "eth0", "up");
    await ip("-n", name, "link", "set", "lo", "up");
    const own = join(directory, name);
    await mkdir(own, { recursive: true });
    machines.push({ name, address, directory: own, inside: ["ip", "netns", "exec", name] });
  }
  return machines;
}

/** Throws unless every host's service at this port answers with this build's id, from outside the host. */
export async function requireServed(machines: readonly Machine[], port: number, build: string): Promise<void> {
  for (const { name, address } of machines) {
    const said = await (await fetch(`http://${address}:${port}/`, { signal: AbortSignal.timeout(5_000) })).text();
    if (said !== build) throw new Error(`${name} serves "${said}", not "${build}"`);
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await must(["ip", ...args]);
}

/** Runs a program to its end; throws with what it printed when it fails. */
export async function must(
  argv: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly stdout: string; readonly tookMs: number }> {
  const ran = await run(argv, { timeoutMs: 600_000, ...options });
  if (ran.code !== 0) {
    throw new Error(
      `"${argv.join(" ")}" exited with ${ran.code}:\n${ran.stdout.slice(-4_000)}\n${ran.stderr.slice(-4_000)}`,
    );
  }
  return ran;
}
