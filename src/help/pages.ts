import configuration from "../../docs/configuration.md" with { type: "text" };
import ctl from "../../docs/ctl.md" with { type: "text" };
import errors from "../../docs/errors.md" with { type: "text" };
import install from "../../docs/install.md" with { type: "text" };
import recipe from "../../docs/recipe.md" with { type: "text" };
import metrics from "../../docs/metrics.md" with { type: "text" };
import restarts from "../../docs/restarts.md" with { type: "text" };
import monitor from "../../docs/monitor.md" with { type: "text" };
import page from "../../docs/page.md" with { type: "text" };
import notifications from "../../docs/notifications.md" with { type: "text" };
import { nearest } from "../schema/problems.ts";

/*
 * The manual is part of the binary: whoever reads an error on a host has no other copy there.
 */

const pages: Readonly<Record<string, string>> = {
  configuration,
  recipe,
  ctl,
  restarts,
  install,
  errors,
  metrics,
  monitor,
  page,
  notifications,
};

export const topics: readonly string[] = Object.keys(pages);

/** A page of the manual, or what to say if there is none of that name. */
export function helpPage(topic: string): { readonly page: string } | { readonly problem: string } {
  const page = Object.hasOwn(pages, topic) ? pages[topic] : undefined;
  if (page !== undefined) return { page };
  const near = nearest(topic, topics);
  const hint = near === undefined ? `There are ${topics.join(", ")}.` : `Did you mean "${near}"?`;
  return { problem: `there is no page "${topic}" of the manual. ${hint}` };
}
