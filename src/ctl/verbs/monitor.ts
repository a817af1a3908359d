import { buildCommand } from "@stricli/core";
import { exit } from "../../cli/exit.ts";
import { isGiven } from "../../cli/flags.ts";
import { description } from "../../cli/help.ts";
import { Cells } from "../../monitor/cells.ts";
import { newModel } from "../../monitor/model.ts";
import { screen } from "../../monitor/screen.ts";
import { update } from "../../monitor/update.ts";
import { serviceArgument } from "../arguments.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { monitorOn } from "../monitor_loop.ts";
import { monitored, ServiceNews } from "../../watch/news.ts";
import { ctlExits, ctlVerb, type Ctl } from "../verb.ts";
import { watchService, watchServices } from "../watch_status.ts";
import { allServices, showOnce } from "./status.ts";

interface MonitorFlags extends CommonFlags {
  readonly once: boolean | undefined;
}

/** How high a screen is that is printed once: as high as it takes, up to this. */
const MOST_ROWS = 120;

export const monitorVerb = buildCommand({
  docs: {
    brief: "Watch a deploy live on the whole terminal, and act on it",
    fullDescription: description({
      what: `Shows a service on the whole terminal as it changes: is it moving, is it stuck, what failed; a row
per host, a grid of names, or a cell per host, whichever shows most. Without a service: all of
them. Its keys move, look at a host, and pause, promote, roll back, retry or abort the deploy
after asking once more; ? lists them. q quits, and the deploy goes on.

With --once it prints one screen and ends, with --json the document of status. If stdout is not a terminal it prints a line per
change instead, and with --json a document per change, as status --watch does.`,
      examples: ["deployd ctl monitor web", "deployd ctl monitor", "deployd ctl monitor web --once"],
      exits: { ...ctlExits, [exit.hungUp]: true },
    }),
    customUsage: ["[<service>]"],
  },
  parameters: {
    flags: { once: isGiven("Print one screen and end"), ...commonFlags },
    positional: { kind: "tuple", parameters: [{ ...serviceArgument, optional: true }] },
  },
  func: ctlVerb<MonitorFlags, [string | undefined]>(async (ctl, { once }, service) => {
    const terminal = ctl.process.terminal ?? null;
    if (once === true && ctl.output.json) await showOnce(ctl, service);
    else if (once === true) ctl.output.lines(await onceText(ctl, service));
    else if (terminal !== null && !ctl.output.json) await monitorOn(terminal, ctl, service);
    else if (service === undefined) await watchServices(ctl, allServices);
    else await watchService(ctl, service);
    return exit.asked;
  }),
});

/** One screen as text, of as many rows as it needs. */
async function onceText(ctl: Ctl, service: string | undefined): Promise<string[]> {
  await using zk = await ctl.connect();
  const services = await monitored(service).read(zk);
  const now = ctl.process.now();
  const size = { columns: ctl.process.stdoutIsTerminal ? ctl.process.columns() : 120, rows: MOST_ROWS };
  const news = new ServiceNews().see(services, now);
  const empty = newModel(service ?? null, size, now.getTime());
  const { model } = update(empty, { kind: "read", services, nowMs: now.getTime(), aheadMs: news.aheadMs, events: [] });
  return textOf(screen(model));
}

/** Without the rows at the end that are empty, and without the keys. */
function textOf(cells: Cells): string[] {
  const lines = Array.from({ length: cells.rows - 1 }, (_, row) => cells.text(row));
  while (lines.at(-1) === "") lines.pop();
  return lines;
}
