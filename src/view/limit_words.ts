import { allowedBy } from "../core/limit_base.ts";
import { amountText } from "../core/limits.ts";
import type { Amount } from "../schema/limits.ts";
import type { DeployView } from "./deploy.ts";

/** What the limits of a deploy come to. Before the first slot a percentage is of the hosts that it is to come to. */
export function allowedIn({ record, live }: Pick<DeployView, "record" | "live">) {
  return allowedBy(record, () => ({ hosts: live?.progress.hosts.length ?? 0, zones: {} }));
}

/** "2", or "10% (2)" where the amount is a percentage. */
export function amountWithCount(amount: Amount, hosts: number): string {
  return typeof amount === "number" ? String(amount) : `${amountText(amount)} (${hosts})`;
}
