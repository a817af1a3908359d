import { buildCommand } from "@stricli/core";
import { isDeployError } from "../../core/errors.ts";
import { readOverview } from "../../store/overview.ts";
import { listServices } from "../../store/services.ts";
import type { ZooKeeper } from "../../zookeeper/client.ts";
import { serviceArgument } from "../arguments.ts";
import { command, description, type Ctl } from "../command.ts";
import { exit } from "../exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { allServicesLines, type ServiceLine } from "../services_text.ts";
import { serverNow } from "../server_clock.ts";
import { statusDocument } from "../status_document.ts";
import { statusLines, type StatusLook } from "../status_text.ts";
import { watchAll, watchService } from "../watch.ts";

interface Flags extends CommonFlags {
  readonly watch: boolean | undefined;
}

export const status = buildCommand({
  docs: {
    brief: "Show what is moving, what is stuck and what has failed",
    fullDescription: description(
      `Shows a service: its newest deploy, what has failed and why, and a row per host. Without a
service: a line per service, those that need a person first. Hosts whose agent is not
connected are shown as unreachable, with what they said last. Exits with 0 whatever it shows.

With --watch it is drawn anew on every change; where stdout is no terminal it prints a line
per change instead, and with --json a document per change.`,
      "deployd ctl status",
      "deployd ctl status web --watch",
      "deployd ctl status web --json",
    ),
    customUsage: ["[<service>]"],
  },
  parameters: {
    flags: {
      watch: { kind: "boolean", brief: "Go on until interrupted", optional: true, withNegated: false },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [{ ...serviceArgument, optional: true }] },
  },
  func: command<Flags, [string | undefined]>(async (ctl, { watch }, service) => {
    if (watch === true) {
      await (service === undefined ? watchAll(ctl, readAll, allServices) : watchService(ctl, service));
      return exit.asked;
    }
    await using zk = await ctl.connect();
    if (service === undefined) {
      const { document, lines } = allServices(await readAll(zk), ctl);
      ctl.output.answer(document, lines);
    } else {
      const overview = await readOverview(zk, service);
      const now = serverNow(overview, ctl.process.now());
      ctl.output.answer(statusDocument(overview, now), statusLines(overview, { ...look(ctl), now }));
    }
    return exit.asked;
  }),
});

function look({ process, output }: Ctl): StatusLook {
  return {
    paint: output.paint,
    now: process.now(),
    ...(process.stdoutIsTerminal ? { columns: process.columns() } : {}),
  };
}

/** A record that somebody broke must not hide the other services. */
async function readAll(zk: ZooKeeper): Promise<ServiceLine[]> {
  const services = await listServices(zk);
  return Promise.all(
    services.map(async (service): Promise<ServiceLine> => {
      try {
        return { service, overview: await readOverview(zk, service) };
      } catch (error) {
        if (!isDeployError(error) || error.retry) throw error;
        return { service, problem: error.message };
      }
    }),
  );
}

function allServices(services: readonly ServiceLine[], ctl: Ctl) {
  const now = ctl.process.now();
  return {
    document: {
      schema: "deployd.ctl.services-status/1",
      time: now.toISOString(),
      services: services.map((line) =>
        "problem" in line
          ? { service: line.service, problem: line.problem }
          : { ...statusDocument(line.overview, serverNow(line.overview, now)), schema: undefined },
      ),
    },
    lines:
      services.length === 0
        ? ["No services yet. Make one with: deployd ctl services set NAME"]
        : allServicesLines(services, look(ctl)),
  };
}
