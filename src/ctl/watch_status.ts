import { newestDeploy } from "../view/deploy.ts";
import { outcomeOf } from "../view/deploy_events.ts";
import { ServerClock } from "../view/server_clock.ts";
import type { ServiceLook } from "../view/service_rows.ts";
import { Story } from "../view/story.ts";
import { duration } from "../view/times.ts";
import { oneLine } from "../view/words.ts";
import type { Ctl } from "./verb.ts";
import { LastingConnection } from "../watch/lasting_connection.ts";
import { readings } from "../watch/readings.ts";
import { Screen } from "./screen.ts";
import { statusDocument } from "./status_document.ts";
import { statusLines } from "./status_text.ts";
import { storyLines } from "./story_text.ts";
import { watchedService, WatchedServices, type Watched } from "../watch/watched.ts";

/** Shows one service until the command is interrupted. */
export async function watchService(ctl: Ctl, service: string): Promise<void> {
  const { output, process } = ctl;
  if (process.stdoutIsTerminal && !output.json) {
    const clock = new ServerClock();
    await draw(ctl, watchedService(service), (overview) => {
      clock.see(overview, process.now());
      const rows = process.rows?.();
      // One line for the state of the connection, and one for the cursor.
      const height = rows === undefined ? {} : { rows: rows - 2 };
      const look = { paint: output.paint, now: clock.at(process.now()), columns: process.columns(), ...height };
      return statusLines(overview, look);
    });
    return;
  }
  let told: { readonly id: string; readonly story: Story } | null = null;
  const clock = new ServerClock();
  await printChanges(ctl, watchedService(service), (overview) => {
    clock.see(overview, process.now());
    if (output.json) return output.document(statusDocument(overview, clock.at(process.now())));
    const view = newestDeploy(overview);
    if (view === null) return;
    if (told?.id !== view.id) told = { id: view.id, story: new Story() };
    const now = process.now();
    output.lines(storyLines(told.story.tell(view, outcomeOf(view, "wait"), now), now, output.paint));
  });
}

/** Shows all services until the command is interrupted; when piped, prints a line whenever a service's line changes. */
export async function watchServices(
  ctl: Ctl,
  show: (services: readonly ServiceLook[], ctl: Ctl) => { document: object; lines: readonly string[] },
): Promise<void> {
  const { output, process } = ctl;
  if (process.stdoutIsTerminal && !output.json) {
    await draw(ctl, new WatchedServices(), (services) => show(services, ctl).lines);
    return;
  }
  let before: ReadonlySet<string> = new Set();
  await printChanges(ctl, new WatchedServices(), (services) => {
    const { document, lines } = show(services, ctl);
    if (output.json) return output.document(document);
    output.lines(lines.filter((line) => !before.has(line)));
    before = new Set(lines);
  });
}

/** Draws in place: again on every reading, and every second to update the ages. */
async function draw<T>(ctl: Ctl, watched: Watched<T>, render: (value: T) => readonly string[]): Promise<void> {
  const { output, process, signal } = ctl;
  await using connection = new LastingConnection(ctl.connect, signal, ctl.process.clock);
  await connection.client();
  using screen = new Screen(output);
  let shown: { readonly value: T } | null = null;
  let staleText = "";
  for await (const reading of readings(connection, watched, signal)) {
    switch (reading.kind) {
      case "read":
        shown = { value: reading.value };
        staleText = "";
        break;
      case "stale": {
        const why = oneLine(reading.reason);
        staleText = output.paint.warn(`? ZooKeeper is away (${why}); stale for ${duration(reading.forMs)}`);
        break;
      }
      case "tick":
        break;
    }
    const footer = staleText === "" ? output.paint.dim(`${process.now().toISOString().slice(11, 19)} UTC`) : staleText;
    screen.draw([...(shown === null ? [] : render(shown.value)), footer]);
  }
}

async function printChanges<T>(ctl: Ctl, watched: Watched<T>, print: (value: T) => void): Promise<void> {
  const { output, signal } = ctl;
  await using connection = new LastingConnection(ctl.connect, signal, ctl.process.clock);
  await connection.client();
  let stale = false;
  for await (const reading of readings(connection, watched, signal)) {
    if (reading.kind === "read") {
      if (stale) output.note("ZooKeeper is back.");
      stale = false;
      print(reading.value);
    } else if (reading.kind === "stale" && !stale) {
      output.note(`The connection to ZooKeeper is lost (${oneLine(reading.reason)}).`);
      stale = true;
    }
  }
}
