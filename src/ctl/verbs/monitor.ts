import { buildCommand } from "@stricli/core";
import { exit } from "../../cli/exit.ts";
import { DeployError } from "../../core/errors.ts";
import { isGiven } from "../../cli/flags.ts";
import { description } from "../../cli/help.ts";
import { Cells } from "../../monitor/cells.ts";
import { FASTEST } from "../../monitor/replay.ts";
import { newModel } from "../../monitor/model.ts";
import { screen } from "../../monitor/screen.ts";
import { update } from "../../monitor/update.ts";
import { serviceOfDeploy } from "../../store/timelines.ts";
import { parseDeployId, serviceArgument } from "../arguments.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { monitorOn } from "../monitor_loop.ts";
import { monitored, ServiceNews } from "../../watch/news.ts";
import { replayOn } from "../replay_loop.ts";
import { showTimeline } from "../timeline_text.ts";
import { readToldTimeline } from "../told_timeline.ts";
import type { ToldTimeline } from "../../view/timeline_words.ts";
import { ctlExits, ctlVerb, type Ctl } from "../verb.ts";
import { watchService, watchServices } from "../watch_status.ts";
import { allServices, showOnce } from "./status.ts";

interface MonitorFlags extends CommonFlags {
  readonly once: boolean | undefined;
  readonly replay: string | undefined;
  readonly speed: number | undefined;
}

/** How high a screen is that is printed once: as high as it takes, up to this. */
const MOST_ROWS = 120;
const SPEED = 10;

export const monitorVerb = buildCommand({
  docs: {
    brief: "Watch a deploy live on the whole terminal, and act on it",
    fullDescription: description({
      what: `Shows a service on the whole terminal as it changes: is it moving, is it stuck, what failed; a row
per host, a grid of names, or a cell per host, whichever shows most. Without a service: all of
them. Its keys move, look at a host, and pause, promote, roll back, retry or abort the deploy
after asking once more; ? lists them. q quits, and the deploy goes on.

With --once it prints one screen and ends, with --json the document of status. If stdout is not a terminal it prints a line per
change instead, and with --json a document per change, as status --watch does.

With --replay it plays how a deploy went, from what the conductor has kept of it: how many hosts were
in which state, and when the deploy's own state changed. Space stops and goes on, the arrows step, 0
goes to the start, + and - change the speed. With --once, or without a terminal, it prints the whole picture.`,
      examples: [
        "deployd ctl monitor web",
        "deployd ctl monitor",
        "deployd ctl monitor web --once",
        "deployd ctl monitor --replay 20260701-115000-ab12 --speed 60",
      ],
      exits: { ...ctlExits, [exit.hungUp]: true },
    }),
    customUsage: ["[<service>]"],
  },
  parameters: {
    flags: {
      once: isGiven("Print one screen and end"),
      replay: {
        kind: "parsed",
        parse: parseDeployId,
        brief: "Play how this deploy went (default: watch what happens now)",
        placeholder: "deploy",
        optional: true,
      },
      speed: {
        kind: "parsed",
        parse: speedOf,
        brief: "Seconds of the deploy that a replay plays in each second (default: 10)",
        placeholder: "n",
        optional: true,
      },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [{ ...serviceArgument, optional: true }] },
  },
  func: ctlVerb<MonitorFlags, [string | undefined]>(async (ctl, { once, replay, speed }, service) => {
    const terminal = ctl.process.terminal ?? null;
    if (speed !== undefined && replay === undefined) {
      throw new DeployError(
        "Cannot play at a speed of its own what happens now: --speed is given, and --replay is not.",
        {
          code: "usage",
          hint: "Name a deploy, as in: deployd ctl monitor --replay 20260701-115000-ab12 --speed 60",
        },
      );
    }
    if (replay !== undefined) await play(ctl, { deploy: replay, service, speed, isOnce: once === true });
    else if (once === true && ctl.output.json) await showOnce(ctl, service);
    else if (once === true) ctl.output.lines(await onceText(ctl, service));
    else if (terminal !== null && !ctl.output.json) await monitorOn(terminal, ctl, service);
    else if (service === undefined) await watchServices(ctl, allServices);
    else await watchService(ctl, service);
    return exit.asked;
  }),
});

interface Played {
  readonly deploy: string;
  readonly service: string | undefined;
  readonly speed: number | undefined;
  readonly isOnce: boolean;
}

/** On a terminal as it went, and elsewhere as one picture. */
async function play(ctl: Ctl, { deploy, service, speed, isOnce }: Played): Promise<void> {
  const { output, process } = ctl;
  const told = await readAndClose(ctl, deploy, service);
  const terminal = process.terminal ?? null;
  if (terminal !== null && !isOnce && !output.json) return replayOn(terminal, ctl, told, speed ?? SPEED);
  showTimeline(ctl, told);
}

/** What is played does not change any more: nothing is watched. */
async function readAndClose(ctl: Ctl, deploy: string, service: string | undefined): Promise<ToldTimeline> {
  await using zk = await ctl.connect();
  return await readToldTimeline(zk, service ?? (await serviceOfDeploy(zk, deploy)), deploy);
}

function speedOf(input: string): number {
  const value = Number(input);
  if (/^\d+(\.\d+)?$/.test(input) && value > 0 && value <= FASTEST) return value;
  throw new Error(`a number above 0 and up to ${FASTEST} is required`);
}

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
