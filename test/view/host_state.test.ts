import { expect, test } from "bun:test";
import { newestDeploy } from "../../src/view/deploy.ts";
import { fleetHosts, noOrder, orderOf, STATE_SIGNS, WORST_FIRST, worstOf } from "../../src/view/host_state.ts";
import { pulseOf } from "../../src/view/pulse.ts";
import type { Overview } from "../../src/view/overview.ts";
import { noon } from "../ctl/terminal.ts";
import { scene, scenes } from "./scenes.ts";

function statesIn(overview: Overview): Record<string, string> {
  const hosts = fleetHosts(overview, newestDeploy(overview), orderOf(overview.hosts, noOrder));
  return Object.fromEntries(hosts.map(({ host, state }) => [host, state]));
}

test("what a host is to the deploy", () => {
  expect(
    statesIn(
      scene(
        {},
        {
          done: { status: { step: "serving", build: "9b1e0d4" } },
          old: {
            status: { step: "serving", build: "77ac001", wish: { build: "77ac001", deploy: "20260630-100000-00ff" } },
          },
          soaks: { status: { step: "soak", begun: true }, slot: true },
          restarts: { status: { step: "check", begun: true }, slot: true },
          back: { status: { step: "restart", begun: true, rollingBack: true }, failure: { healthy: false } },
          failed: { status: { step: "failed" }, failure: {} },
          gone: { connected: false, status: { step: "ready" } },
          idle: { status: { step: "idle" } },
        },
      ),
    ),
  ).toEqual({
    done: "done",
    old: "waiting",
    soaks: "soaking",
    restarts: "restarting",
    back: "going back",
    failed: "failed",
    gone: "unreachable",
    idle: "waiting",
  });
});

test("hosts stand by zone and by number, and nobody changes place while they are the same", () => {
  const overview = scene({}, { "web-10": { zone: "a" }, "web-9": { zone: "a" }, "web-1": { zone: "b" } });
  const order = orderOf(overview.hosts, noOrder);
  expect(order.order).toEqual(["web-9", "web-10", "web-1"]);
  expect(orderOf(new Map(overview.hosts), order)).toBe(order);
});

test("each state has a glyph of its own, and the worst of several shows", () => {
  const glyphs = WORST_FIRST.map((state) => STATE_SIGNS[state].glyph);
  expect(new Set(glyphs).size).toBe(Object.keys(STATE_SIGNS).length);
  const overview = scenes.halted();
  const hosts = fleetHosts(overview, newestDeploy(overview), orderOf(overview.hosts, noOrder));
  expect(worstOf(hosts)).toBe("failed");
});

test.each([
  ["rolling", scenes.rolling, "moves"],
  ["stuck", scenes.stuck, "stuck"],
  ["waiting for a person", scenes.canary, "waits for a person"],
  ["waiting for a time", scenes.stageWaits, "waits for time"],
  ["paused", scenes.paused, "stands still"],
  ["halted", scenes.halted, "over"],
  ["done", scenes.done, "over"],
] as const)("a deploy that is %s", (_name, make, kind) => {
  const overview = make();
  const view = newestDeploy(overview);
  if (view === null) throw new Error("the scene has no deploy");
  const moved = kind === "stuck" ? view.record.times.changed : noon.toISOString();
  expect(pulseOf(view, overview.waits, moved, noon).kind).toBe(kind);
});

test("one that only waits for others says so, and does not count as moving", () => {
  const overview = { ...scene({}, { "web-01": { status: { step: "ready" } } }), waits: ['waits while "db" rolls'] };
  const view = newestDeploy(overview);
  if (view === null) throw new Error("the scene has no deploy");
  expect(pulseOf(view, overview.waits, noon.toISOString(), noon)).toMatchObject({
    kind: "held back",
    because: 'waits while "db" rolls',
  });
});
