import { DeployError } from "../core/errors.ts";
import { assertRestartAllowed, type RestartPolicy } from "../core/policy.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";

/**
 * Whether this host can and may restart the service as a build wants it. All that the files of both say is known before
 * the running service is touched, and is asked again by whoever touches it.
 *
 * @throws DeployError `policy-refused`, `recipe-invalid`
 */
export function requireRestartable(
  spec: RestartSpec | null,
  host: { readonly policy: RestartPolicy; readonly instances: readonly unknown[] },
): void {
  if (spec === null) return;
  assertRestartAllowed(spec, host.policy);
  if (spec.by === "systemd-socket" && host.instances.length > 1) {
    throw new DeployError(
      `Cannot restart ${host.instances.length} instances by systemd-socket: all of them would be ${spec.unit}.`,
      { code: "recipe-invalid", hint: "Blue and green are its two copies; leave instances out of the agent's file." },
    );
  }
}
