import { buildCommand } from "@stricli/core";
import { serverNow } from "../../view/server_clock.ts";
import type { ServiceLook } from "../../view/service_rows.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb, type Ctl } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { isGiven } from "../../cli/flags.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { allServicesLines } from "../services_text.ts";
import { statusDocument } from "../status_document.ts";
import { statusLines, type StatusLook } from "../status_text.ts";
import { watchService, watchServices } from "../watch_status.ts";
import { watchedService, WatchedServices } from "../../watch/watched.ts";

interface StatusFlags extends CommonFlags {
  readonly watch: boolean | undefined;
}

export const status = buildCommand({
  docs: {
    brief: "Show what is moving, what is stuck and what has failed",
    fullDescription: ctlDescription(
      `Shows a service: its newest deploy, what has failed and why, and a row per host. Without a
service: a line per service; those that need a person come first. Hosts whose agent is not
connected are shown as unreachable, with what they said last. Exits with 0 whatever it shows.

With --watch it is redrawn on every change; if stdout is not a terminal, it prints a line per
change instead, and with --json a document per change.`,
      "deployd ctl status",
      "deployd ctl status web --watch",
      "deployd ctl status web --json",
    ),
    customUsage: ["[<service>]"],
  },
  parameters: {
    flags: {
      watch: isGiven("Go on until interrupted"),
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [{ ...serviceArgument, optional: true }] },
  },
  func: ctlVerb<StatusFlags, [string | undefined]>(async (ctl, { watch }, service) => {
    if (watch === true) {
      await (service === undefined ? watchServices(ctl, allServices) : watchService(ctl, service));
      return exit.asked;
    }
    await showOnce(ctl, service);
    return exit.asked;
  }),
});

/** One service, or all, as it is now. */
export async function showOnce(ctl: Ctl, service: string | undefined): Promise<void> {
  await using zk = await ctl.connect();
  if (service === undefined) {
    const { document, lines } = allServices(await new WatchedServices().read(zk), ctl);
    ctl.output.answer(document, lines);
  } else {
    const overview = await watchedService(service).read(zk);
    const now = serverNow(overview, ctl.process.now());
    ctl.output.answer(statusDocument(overview, now), statusLines(overview, { ...lookOf(ctl), now }));
  }
}

function lookOf({ process, output }: Ctl): StatusLook {
  return {
    paint: output.paint,
    now: process.now(),
    ...(process.stdoutIsTerminal ? { columns: process.columns() } : {}),
  };
}

export function allServices(services: readonly ServiceLook[], ctl: Ctl) {
  const now = ctl.process.now();
  return {
    document: {
      schema: "deployd.ctl.services-status/1",
      time: now.toISOString(),
      services: services.map((look) =>
        "problem" in look
          ? { service: look.service, problem: look.problem }
          : { ...statusDocument(look.overview, serverNow(look.overview, now)), schema: undefined },
      ),
    },
    lines:
      services.length === 0
        ? ["No services yet. Make one with: deployd ctl services set NAME"]
        : allServicesLines(services, lookOf(ctl)),
  };
}
