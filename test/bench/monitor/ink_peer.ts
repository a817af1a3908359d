// The same screens drawn by ink: the monitor's own reading, model and screen, and another renderer; or, with "undrawn", by
// nobody, which is what all of it costs but the drawing.
import { LastingConnection } from "../../../src/watch/lasting_connection.ts";
import { monitored, ServiceNews } from "../../../src/watch/news.ts";
import { readings } from "../../../src/watch/readings.ts";
import { INVERSE, STRONG, TONE_BITS, TONES, type Cells } from "../../../src/monitor/cells.ts";
import { newModel } from "../../../src/monitor/model.ts";
import { screen } from "../../../src/monitor/screen.ts";
import { update } from "../../../src/monitor/update.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { clientOf } from "../fleet/tree.ts";

const FRAME_MS = 100;
const COLOURS = { plain: undefined, good: "green", bad: "red", warn: "yellow", busy: "cyan", dim: undefined } as const;

const [directory = "", servers = "", service = "", how = "drawn"] = Bun.argv.slice(2);
const { render, Box, Text } = await import(`${directory}/node_modules/ink/build/index.js`);
const { createElement, useEffect, useState } = await import(`${directory}/node_modules/react/index.js`);

const size = { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
let model = newModel(service, size, Date.now());
let show: (cells: Cells) => void = () => {};

/** As an ink program does it: a box for each row, and in it a text for each stretch of one style. */
function rowsOf(cells: Cells): unknown[] {
  return Array.from({ length: cells.rows }, (_, row) => {
    const parts: unknown[] = [];
    let from = row * cells.columns;
    const end = from + cells.columns;
    for (let at = from; at <= end; at += 1) {
      if (at < end && cells.styles[at] === cells.styles[from]) continue;
      const style = cells.styles[from] ?? 0;
      const tone = TONES[style & TONE_BITS] ?? "plain";
      const look = {
        key: from,
        color: COLOURS[tone],
        dimColor: tone === "dim",
        bold: (style & STRONG) !== 0,
        inverse: (style & INVERSE) !== 0,
        wrap: "truncate",
      };
      parts.push(createElement(Text, look, cells.characters.slice(from, at).join("")));
      from = at;
    }
    return createElement(Box, { key: row, height: 1 }, ...parts);
  });
}

function App(): unknown {
  const [cells, setCells] = useState(screen(model));
  useEffect(() => {
    show = setCells;
  }, []);
  return createElement(Box, { flexDirection: "column", height: size.rows, width: size.columns }, ...rowsOf(cells));
}

if (how === "drawn") render(createElement(App), { exitOnCtrlC: true, patchConsole: false });
const connection = new LastingConnection(async () => clientOf(servers), new AbortController().signal, systemClock);
await connection.client();
const news = new ServiceNews();
let drawnAtMs = 0;
for await (const reading of readings(connection, monitored(service), new AbortController().signal)) {
  const now = new Date();
  if (reading.kind !== "read") continue;
  ({ model } = update(model, {
    kind: "read",
    services: reading.value,
    nowMs: now.getTime(),
    ...news.see(reading.value, now),
  }));
  const waitMs = FRAME_MS - (performance.now() - drawnAtMs);
  if (waitMs > 0) await Bun.sleep(waitMs);
  drawnAtMs = performance.now();
  show(screen(model));
}
