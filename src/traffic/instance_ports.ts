import { DeployError } from "../core/errors.ts";
import type { Instance } from "../core/traffic.ts";

/** The ports of a service's instances, by name, in the order of the host's file. */
export type InstancePorts = ReadonlyMap<string, number>;

/**
 * @param front the port that clients use, if the back end has one
 * @throws DeployError `config-invalid` if an instance has no port, or the same port as another instance or as the clients
 */
export function instancePorts(
  by: string,
  service: string,
  instances: readonly Instance[],
  front: number | null,
): InstancePorts {
  const ports = new Map<string, number>();
  const taken = new Map<number, string>(front === null ? [] : [[front, "clients connect to"]]);
  for (const { name, port } of instances) {
    if (port === null) {
      throw new DeployError(`Cannot steer the traffic of ${service} by ${by}: its instance ${name} has no port.`, {
        code: "config-invalid",
        hint: `Give every instance of ${service} the port it listens on, in the agent's file.`,
      });
    }
    const use = taken.get(port);
    if (use !== undefined) {
      throw new DeployError(
        `Cannot steer the traffic of ${service} by ${by}: its instance ${name} has port ${port}, which ${use}.`,
        { code: "config-invalid", hint: "Give every instance a port of its own, and clients another." },
      );
    }
    taken.set(port, `is instance ${name}'s`);
    ports.set(name, port);
  }
  return ports;
}

/**
 * The ports of the instances that are on, in the order of the host's file however they are passed in, so that the same
 * wish always makes the same rules.
 *
 * @throws DeployError `traffic-failed` for a name that is not an instance
 */
export function portsOfThose(ports: InstancePorts, names: readonly string[]): number[] {
  for (const name of names) portOf(ports, name);
  return [...ports].filter(([name]) => names.includes(name)).map(([, port]) => port);
}

/** @throws DeployError `traffic-failed` for a name that is not an instance */
export function portOf(ports: InstancePorts, name: string): number {
  const port = ports.get(name);
  if (port !== undefined) return port;
  throw new DeployError(
    `Cannot steer the traffic of instance ${name}: there are only ${[...ports.keys()].join(", ")}.`,
    {
      code: "traffic-failed",
      hint: "Name an instance of the agent's file.",
    },
  );
}
