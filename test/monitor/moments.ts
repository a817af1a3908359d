import type { HostStep } from "../../src/schema/znodes.ts";
import { newModel, type Model } from "../../src/monitor/model.ts";
import { update, type Message } from "../../src/monitor/update.ts";
import type { Overview } from "../../src/view/overview.ts";
import { span } from "../../src/view/spans.ts";
import { noon } from "../ctl/terminal.ts";
import { scene, scenes, type SceneHost } from "../view/scenes.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export const SIZES: readonly Size[] = [
  { columns: 40, rows: 12 },
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 160, rows: 48 },
  { columns: 300, rows: 100 },
];

const nowMs = noon.getTime();
const events = [
  { at: "2026-07-01T11:58:30.000Z", line: [span("· 9b1e0d4 is prepared on 3 hosts")] },
  { at: "2026-07-01T11:59:10.000Z", line: [span("✓ web-01 serves 9b1e0d4", "good" as const), span(" (1 of 4)")] },
  { at: "2026-07-01T11:59:40.000Z", line: [span("↻ web-02 restarts into 9b1e0d4", "busy" as const)] },
];

/** The model after these messages. */
export function after(model: Model, ...messages: readonly Message[]): Model {
  return messages.reduce((before, message) => update(before, message).model, model);
}

export function key(text: string): Message {
  return { kind: "key", key: { kind: "text", text } };
}

export function typing(text: string): Message[] {
  return text.split("").map(key);
}

export function reading(...overviews: readonly Overview[]): Message {
  const services = overviews.map((overview) => ({ service: overview.service, overview }));
  return { kind: "read", services, aheadMs: 0, events, nowMs };
}

function fleet(size: Size, overview: Overview, ...messages: readonly Message[]): Model {
  return after(newModel(overview.service, size, nowMs), reading(overview), ...messages);
}

const steps: readonly HostStep[] = ["serving", "serving", "soak", "restart", "ready", "fetch", "idle", "idle"];
const reasons = ["http 502", "connection refused"];

/** A fleet in the middle of a deploy, in three zones, of which a few hosts have failed. */
const rollingFleet = memoized((count: number): Overview => {
  const hosts: Record<string, SceneHost> = {};
  for (let at = 0; at < count; at += 1) {
    const name = `web-${String(at + 1).padStart(String(count).length, "0")}`;
    const zone = `eu-${"abc"[Math.floor((at * 3) / count)]}`;
    const step = steps[at % steps.length] ?? "idle";
    const isFailed = at % 97 === 13;
    const since = new Date(nowMs - (at % 120) * 1_000).toISOString();
    const error = {
      code: "check-failed",
      message: `Cannot call "9b1e0d4" healthy: ${at} checks, ${reasons[at % 2]}.`,
      hint: "Look at the service's own log.",
      build: "9b1e0d4",
      step: "check" as const,
    };
    hosts[name] = isFailed
      ? {
          zone,
          status: { step: "failed", error, log: `starting\nno database at 10.0.0.${at % 250}\n`, since },
          failure: { since },
        }
      : {
          zone,
          connected: at % 113 !== 5,
          status: {
            step,
            since,
            ...(step === "serving" ? { build: "9b1e0d4" } : {}),
            begun: step === "soak" || step === "restart",
          },
        };
  }
  return scene({ limits: { max: "25%", budget: "10%", soakMs: 10_000 }, base: { hosts: count, zones: {} } }, hosts);
});

/** To make one of thousands of hosts takes longest. */
function memoized<T>(make: (count: number) => T): (count: number) => T {
  const made = new Map<number, T>();
  return (count) => {
    const known = made.get(count) ?? make(count);
    made.set(count, known);
    return known;
  };
}

const longest = `expected 200 from http://127.0.0.1:8080/health, got 502 with "${"no connection to the database ".repeat(6)}"`;

/** A sentence that is longer than any of the smaller terminals is wide. */
export const longFailure = { sentence: longest, lastLogLine: `Error: cannot reach ${"db-".repeat(30)}1` };

function halted(): Overview {
  const error = {
    code: "check-failed",
    message: longest,
    hint: "Look at the service's own log.",
    build: "9b1e0d4",
    step: "check" as const,
  };
  return scene(
    {
      state: "halted",
      reason: `web-02: ${longest}`,
      times: {
        created: "2026-07-01T11:50:00.000Z",
        changed: "2026-07-01T11:59:00.000Z",
        ended: "2026-07-01T11:59:00.000Z",
      },
    },
    {
      "web-01": { status: { step: "serving", build: "9b1e0d4" } },
      "web-02": {
        status: { step: "failed", error, log: `listening on 8080\n${longFailure.lastLogLine}\n` },
        failure: {},
      },
      "web-03": { status: { step: "ready" } },
    },
  );
}

function goingBack(): Overview {
  const rollback = {
    who: "ana@laptop",
    why: "checkout fails",
    time: "2026-07-01T11:58:00.000Z",
    from: "rolling",
    to: "77ac001",
  };
  return scene(
    { state: "rolling back", reason: "checkout fails", rollback },
    {
      "web-01": { status: { step: "serving", wish: { build: "77ac001", deploy: "20260701-115000-ab12" } } },
      "web-02": {
        status: {
          step: "restart",
          begun: true,
          build: "9b1e0d4",
          wish: { build: "77ac001", deploy: "20260701-115000-ab12" },
        },
        slot: true,
      },
      "web-03": { status: { step: "serving", build: "9b1e0d4" } },
    },
  );
}

/** Each kind of moment that a person may look at. */
export const MOMENTS: Readonly<Record<string, (size: Size) => Model>> = {
  connecting: (size) => newModel("web", size, nowMs),
  "nothing-running": (size) => fleet(size, scenes.done()),
  "nothing-deployed": (size) => fleet(size, scenes.empty()),
  preparing: (size) =>
    fleet(
      size,
      scene(
        { state: "preparing" },
        { "web-01": { status: { step: "fetch" } }, "web-02": { status: { step: "install" } }, "web-03": {} },
      ),
    ),
  canary: (size) => fleet(size, scenes.canary()),
  rolling: (size) => fleet(size, scenes.rolling()),
  stages: (size) => fleet(size, scenes.stageOver()),
  stuck: (size) => fleet(size, scenes.stuck()),
  halted: (size) => fleet(size, halted()),
  "going-back": (size) => fleet(size, goingBack()),
  ill: (size) => fleet(size, scenes.ill()),
  "no-hosts": (size) => fleet(size, scene({}, {})),
  "zookeeper-gone": (size) =>
    fleet(size, scenes.rolling(), { kind: "away", reason: "no answer from zk1:2181 for 10 s", nowMs: nowMs + 42_000 }),
  "200-hosts": (size) => fleet(size, rollingFleet(200), key("f")),
  "5000-hosts": (size) => fleet(size, rollingFleet(5_000)),
  host: (size) => fleet(size, halted(), key("f"), { kind: "key", key: { kind: "enter" } }),
  filter: (size) => fleet(size, rollingFleet(200), key("/"), ...typing("eu-b fail")),
  confirm: (size) => fleet(size, scenes.rolling(), key("r")),
  help: (size) => fleet(size, scenes.rolling(), key("?")),
  services: (size) =>
    after(
      newModel(null, size, nowMs),
      reading(scenes.empty(), { ...scenes.halted(), service: "db" }, scenes.rolling()),
    ),
};
