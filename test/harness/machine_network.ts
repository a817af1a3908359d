import type { BootedMachine } from "./booted_machine.ts";
import { networkNamespace, type NetworkNamespace } from "./netns.ts";

/** Where the switch itself is, for what is neither of the machines. */
export const OUTSIDE = "10.78.0.1";

/**
 * Puts the machines, by their host names, on one network: each with an address, and with an /etc/hosts that knows them all
 * and `others`. A machine has its own name twice, as Debian's installer leaves it. The switch goes with what is returned.
 */
export async function connectMachines(
  machines: ReadonlyMap<string, BootedMachine>,
  others: Readonly<Record<string, string>>,
): Promise<{ readonly network: NetworkNamespace; readonly addresses: ReadonlyMap<string, string> }> {
  const network = await networkNamespace();
  await network.must(["ip", "link", "add", "switch", "type", "bridge"]);
  await network.must(["ip", "addr", "add", `${OUTSIDE}/24`, "dev", "switch"]);
  await network.must(["ip", "link", "set", "switch", "up"]);
  const addresses = new Map([...machines.keys()].map((name, index) => [name, `10.78.0.${11 + index}`]));
  const known = [...addresses, ...Object.entries(others)].map(([name, address]) => `${address} ${name}\n`).join("");
  for (const [name, machine] of machines) {
    const cable = ["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", machine.network];
    await network.must(["ip", ...cable]);
    await network.must(["ip", "link", "set", name, "master", "switch", "up"]);
    await machine.runBeside(["ip", "addr", "add", `${addresses.get(name)}/24`, "dev", "eth0"]);
    await machine.runBeside(["ip", "link", "set", "eth0", "up"]);
    await machine.write("/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${name}\n${known}`);
  }
  return { network, addresses };
}
