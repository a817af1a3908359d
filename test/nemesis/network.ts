import { run } from "../harness/fleet_program.ts";

/*
 * Every server and every host has a network namespace of its own, on a cable of its own to one switch. All of it lies
 * inside the namespaces of isolation.ts, so that names and addresses can be plain.
 */

/** Everything of servers, which hosts can be cut off from as a whole. */
const SERVERS = "10.79.1.0/24";

export interface Place {
  readonly name: string;
  readonly address: string;
}

export function serverPlace(number: number): Place {
  return { name: `zk${number}`, address: `10.79.1.${number}` };
}

export function hostPlace(name: string, number: number): Place {
  return { name, address: `10.79.0.${10 + number}` };
}

/** A command that becomes the program behind it, inside the namespace. */
export function within({ name }: Place): string[] {
  return ["nsenter", `--net=/run/netns/${name}`, "--"];
}

export async function layOut(places: readonly Place[]): Promise<void> {
  await must(["ip", "link", "add", "switch", "type", "bridge"]);
  await must(["ip", "addr", "add", "10.79.0.1/16", "dev", "switch"]);
  await must(["ip", "link", "set", "switch", "up"]);
  for (const { name, address } of places) {
    await must(["ip", "netns", "add", name]);
    await must(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]);
    await must(["ip", "link", "set", name, "master", "switch", "up"]);
    await must(["ip", "-n", name, "link", "set", "lo", "up"]);
    await must(["ip", "-n", name, "addr", "add", `${address}/16`, "dev", "eth0"]);
    await must(["ip", "-n", name, "link", "set", "eth0", "up"]);
  }
}

/** Takes everything away that `layOut` has made, for the next run in the same process. */
export async function clearAway(places: readonly Place[]): Promise<void> {
  for (const { name } of places) await run(["ip", "netns", "del", name]);
  await run(["ip", "link", "del", "switch"]);
}

/** Pulls the cable of a server, or plugs it in again. */
export async function setCable({ name }: Place, state: "up" | "down"): Promise<void> {
  await must(["ip", "link", "set", name, state]);
}

/**
 * From now on nothing of what the host sends reaches a server, or nothing of what they send reaches it; nobody is told.
 * What its service answers to others still passes.
 */
export async function cutOff(place: Place, direction: "output" | "input"): Promise<void> {
  const address = direction === "output" ? "daddr" : "saddr";
  const rules = `table inet cut { chain servers { type filter hook ${direction} priority 0; ip ${address} ${SERVERS} drop; }; }`;
  await must([...within(place), "nft", rules]);
}

export async function joinAgain(place: Place): Promise<void> {
  await must([...within(place), "nft", "delete table inet cut"]);
}

async function must(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await run(argv);
  if (code !== 0) throw new Error(`"${argv.join(" ")}" exited with ${code}: ${stderr}`);
}
