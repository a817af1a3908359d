import { DeployError } from "../core/errors.ts";
import type { Instance, TrafficSpec } from "../core/traffic.ts";
import type { Traffic, TrafficEffects } from "./effects.ts";
import { openAt } from "./open_connections.ts";
import { toolSaying } from "./tool.ts";

/**
 * Commands of the host's own file turn the traffic of one instance off and on. Their effect cannot be observed, so it is
 * remembered, but only as long as the agent runs: the first `steer` of a process tells every instance its state again,
 * and so does one after a failure. The commands must therefore be idempotent.
 */
export function hookTraffic(
  spec: Extract<TrafficSpec, { by: "hook" }>,
  service: string,
  instances: readonly Instance[],
  effects: TrafficEffects,
  timeoutMs: number,
): Traffic {
  const told = new Map<string, "on" | "off">();

  const instanceOf = (name: string): Instance => {
    const found = instances.find((instance) => instance.name === name);
    if (found !== undefined) return found;
    throw new DeployError(`Cannot steer the traffic of ${service}@${name}: there is no such instance.`, {
      code: "traffic-failed",
      hint: "Name an instance of the agent's file.",
    });
  };

  const tell = async ({ name, port }: Instance, state: "on" | "off", signal: AbortSignal): Promise<void> => {
    if (told.get(name) === state) return;
    // A failed command may be half done, so it is repeated next time.
    told.delete(name);
    const env = {
      DEPLOYD_SERVICE: service,
      DEPLOYD_INSTANCE: name,
      ...(port === null ? {} : { DEPLOYD_PORT: String(port) }),
    };
    const result = await effects.hook(spec[state], env, { timeoutMs, signal });
    if (result.code !== 0) {
      throw new DeployError(
        `Cannot turn the traffic of ${service}@${name} ${state}: "${spec[state]}" exited with ${result.code}${toolSaying(result)}.`,
        {
          code: "traffic-failed",
          hint: `Run it by hand with DEPLOYD_SERVICE, DEPLOYD_INSTANCE and DEPLOYD_PORT set; see traffic.${state} in the agent's file.`,
        },
      );
    }
    told.set(name, state);
  };

  const steer = async (on: readonly string[], signal: AbortSignal): Promise<void> => {
    const coming = new Set(on.map((name) => instanceOf(name).name));
    // Instances are switched on before others are switched off, so that one is always on.
    for (const instance of instances.filter(({ name }) => coming.has(name))) await tell(instance, "on", signal);
    for (const instance of instances.filter(({ name }) => !coming.has(name))) await tell(instance, "off", signal);
  };

  return {
    steer,
    taken: async () => {},
    busy: async (instance) => {
      const { port } = instanceOf(instance);
      return port === null ? null : await openAt(port, effects);
    },
    refused: async () => null,
    // Before deployd came, all instances were on.
    remove: (signal) =>
      steer(
        instances.map(({ name }) => name),
        signal,
      ),
  };
}
