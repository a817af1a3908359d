import { heldBack, type HeldBack, type ServiceNow, type ServicesNow } from "../core/between_services.ts";
import { isRunning } from "../core/deploy_state.ts";
import { outOfService } from "../core/gate.ts";
import type { ServiceMirror } from "./mirror.ts";

type Looked = Pick<ServiceMirror, "service" | "settings" | "deploys" | "unreadable" | "gate">;

/** Services as the rules of one of them see them: it goes by its own whatever else of it cannot be read. */
function servicesNow(own: string, mirrors: Iterable<Looked>): ServicesNow {
  return new Map(
    [...mirrors].map(({ service, settings, deploys, unreadable, gate }): [string, ServiceNow | "unreadable"] => {
      if (service !== own && (gate === null || unreadable.deploys.size > 0)) return [service, "unreadable"];
      const running = [...deploys.values()].find(({ record }) => isRunning(record))?.record;
      const deploy = running === undefined ? null : { state: running.state, began: running.times.created };
      return [service, { rules: settings?.between ?? {}, deploy }];
    }),
  );
}

/** What the rules between these services forbid one of them. */
export function heldBackIn(service: string, mirrors: readonly Looked[]): HeldBack {
  const outIn = (host: string): string[] =>
    mirrors.flatMap(({ service: name, gate }) => (gate !== null && outOfService(gate.gate).has(host) ? [name] : []));
  return heldBack(service, servicesNow(service, mirrors), outIn);
}
