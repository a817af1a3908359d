import { STATE_SIGNS, WORST_FIRST } from "../view/host_state.ts";
import { span, strong, type SpanLine } from "../view/spans.ts";

const KEYS: readonly (readonly [string, string])[] = [
  ["j k ↑ ↓", "move; g G to the first and the last, PgUp PgDn by a page"],
  ["enter", "all about the host, or the service, under the cursor; esc goes back"],
  ["f", "to the first host that failed, and to the next"],
  ["/", "show only hosts whose name, zone, role, state or build has these words; esc shows all"],
  ["p c", "pause the deploy, continue it"],
  ["P", "promote it to its next stage"],
  ["r", "roll it back to the build before"],
  ["t", "have the hosts that failed try once more"],
  ["a", "abort it where it stands"],
  ["1-9 s", "another service, all services"],
  ["?", "this page"],
  ["q", "quit; the deploy goes on"],
];

/** The keys, and what the signs mean. */
export function helpLines(): SpanLine[] {
  return [
    [strong("keys")],
    ...KEYS.map(([key, what]): SpanLine => [span(`  ${key.padEnd(9)}`, "busy"), span(what)]),
    [
      span(
        "  What changes a deploy asks first, by the names of the service and the build, and is on its record.",
        "dim",
      ),
    ],
    [],
    [strong("hosts")],
    ...WORST_FIRST.map((state): SpanLine => {
      const { glyph, word, tone } = STATE_SIGNS[state];
      return [span(`  ${glyph} ${word.padEnd(12)}`, tone), span(MEANS[state])];
    }),
  ];
}

const MEANS = {
  failed: "the build failed on it, or it is unhealthy",
  unreachable: "its agent is not connected",
  "going back": "it failed, and returns to the build before by itself",
  restarting: "out of service by our leave: it flips, restarts, checks",
  soaking: "it serves the build, and must stay healthy for a while",
  ready: "it has the build, and waits for its turn",
  preparing: "it downloads, verifies, unpacks, installs",
  held: "a person holds it",
  leaving: "it leaves the fleet, or has left: its service is stopped",
  waiting: "the deploy has not come to it",
  done: "it serves what it should",
  idle: "it has nothing to do",
} as const;
