import { DeployError } from "../../../src/core/errors.ts";
import type { TrafficOfMachine } from "../../../src/machine/traffic.ts";
import { throwIfAborted } from "../../../src/support/abort.ts";
import type { Ground } from "./ground.ts";
import type { Life } from "./life.ts";
import type { SimFront } from "./front.ts";

/** How long a back end takes to use an instance again, at most; in milliseconds. */
const TAKES_MS = 300;

/** A host's front as one agent has it. One kind of back end stands for all that keep clients away. */
export function trafficOf(life: Life, ground: Ground, front: SimFront): TrafficOfMachine {
  return {
    openAt: (port) => life.look(() => front.openAt(port)),
    backend: (spec, service, instances) => {
      const portOf = (name: string): number | null =>
        instances.find((instance) => instance.name === name)?.port ?? null;
      const none = spec.by === "none";
      const requireWhole = (attempted: string): void => {
        if (!front.isBroken) return;
        throw new DeployError(`Cannot ${attempted}: the back end does not answer.`, {
          code: "traffic-failed",
          hint: "Look at what stands in front of the service.",
        });
      };
      return {
        steer: async (on, signal) => {
          if (none) return;
          throwIfAborted(signal, "steer traffic");
          const wanted = new Set(on);
          const change = (): void => {
            requireWhole(`steer the traffic of ${service}`);
            front.steer(service, spec.by, wanted);
          };
          const rule = await life.look(() => front.rule(service, spec.by));
          if (rule !== null && rule.size === wanted.size && on.every((name) => rule.has(name))) return;
          await life.effect("traffic", `steer ${service} to ${on.length === 0 ? "none" : on.join(", ")}`, change);
        },
        taken: async (names, _timeoutMs, signal) => {
          if (none) return;
          throwIfAborted(signal, "wait for the back end");
          await life.lookAfter(ground.chance.random() * TAKES_MS, () =>
            requireWhole(`see traffic reach ${names.join(", ")}`),
          );
        },
        busy: (name) => {
          const port = portOf(name);
          return life.look(() => (none || port === null ? null : front.openAt(port)));
        },
        refused: () => life.look(() => (none ? null : front.refused)),
        remove: async () => {
          if (none) return;
          await life.effect("traffic", `take away the rules of ${service}`, () => {
            requireWhole(`take away the rules of ${service}`);
            front.remove(service, spec.by);
          });
        },
      };
    },
  };
}
