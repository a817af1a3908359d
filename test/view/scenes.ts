import { isOnCanaries, isRunning } from "../../src/core/deploy_state.ts";
import { parseStages } from "../../src/core/stages.ts";
import type { OutHosts } from "../../src/core/gate.ts";
import { progressOf } from "../../src/core/progress.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { AgentRecord, Failure, HostRecord, HostStatus } from "../../src/schema/znodes.ts";
import type { Overview } from "../../src/view/overview.ts";
import { noon } from "../ctl/terminal.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { hostStatus } from "../harness/host_status.ts";

/** `seconds` before noon, as a record holds it. */
function ago(seconds: number): string {
  return new Date(noon.getTime() - seconds * 1000).toISOString();
}

export interface SceneHost {
  readonly role?: HostRecord["role"];
  readonly zone?: string;
  readonly connected?: boolean;
  readonly status?: Partial<HostStatus>;
  readonly failure?: Partial<Failure>;
  readonly slot?: true;
}

const id = "20260701-115000-ab12";

/** A service in the middle of a deploy from 77ac001 to 9b1e0d4, as told. */
export function scene(
  deploy: Readonly<Record<string, unknown>> & { readonly state?: DeployState },
  hosts: Readonly<Record<string, SceneHost>>,
): Overview {
  const { state = "rolling", ...changes } = deploy;
  const record = recordIn(state, {
    build: "9b1e0d4",
    previous: "77ac001",
    who: "ana@laptop",
    why: "new checkout",
    limits: { max: 2, budget: 1, soakMs: 5_000 },
    times: { created: ago(600), changed: ago(570), ...(isRunning(recordIn(state)) ? {} : { ended: ago(0) }) },
    ...changes,
  });
  const wished = isOnCanaries(record) ? "canary" : "enabled";
  const older = { build: "77ac001", deploy: "20260630-100000-00ff" };
  const { reach } = record;
  const wish = { build: record.build, deploy: id, before: older, ...(reach === undefined ? {} : { reach }) };
  const wishes = {
    enabled: wished === "enabled" ? wish : older,
    canary: wished === "canary" ? wish : null,
  };
  const names = Object.entries(hosts);
  const statuses = new Map(
    names.flatMap(([host, { status }]) => (status === undefined ? [] : [[host, statusOf(status)] as const])),
  );
  const agent: AgentRecord = {
    version: "0.1.0",
    bootId: "b",
    statusAddress: null,
    pid: 1,
    since: ago(86_400),
    speaks: 1,
  };
  const agents = new Map(names.filter(([, host]) => host.connected !== false).map(([host]) => [host, agent]));
  const asked = { deploy: id, attempt: 1, build: record.build };
  const told = { ...asked, reason: "failed", again: 0, healthy: true, since: ago(60), round: 1 };
  const out: OutHosts = {
    slots: Object.fromEntries(
      names.filter(([, { slot }]) => slot === true).map(([host]) => [host, { ...asked, since: ago(20), record: 1 }]),
    ),
    failed: Object.fromEntries(
      names.flatMap(([host, { failure }]) => (failure === undefined ? [] : [[host, { ...told, ...failure }]])),
    ),
  };
  const registered = new Map(
    names.map(([host, { role = "fleet", zone }]) => [host, zone === undefined ? { role } : { role, zone }] as const),
  );
  const view = { wishes, hosts: registered, status: statuses, alive: new Set(agents.keys()) };
  return {
    service: "web",
    settings: { max: 2, budget: 1, soakMs: 5_000, onHalt: "ask" },
    wishes,
    hosts: registered,
    statuses,
    agents,
    damaged: null,
    deploys: [],
    waits: [],
    problems: [],
    deploy: { id, record, out, progress: progressOf(view, { id, record, out }), barred: new Set() },
  };
}

function statusOf(status: Partial<HostStatus>): HostStatus {
  const serving = {
    build: "77ac001",
    health: "healthy",
    wish: { build: "9b1e0d4", deploy: id },
    step: "idle",
  } as const;
  return hostStatus({ ...serving, since: ago(30), ...status });
}

const checkError = {
  code: "check-failed",
  message: "expected 200 from http://127.0.0.1:8080/health, got 502 (5 times)",
  hint: "Look at the service's own log.",
  build: "9b1e0d4",
  step: "check" as const,
};

const hostileLog =
  "listening on 8080\n\u001b[31mError: no database\u001b[0m\u001b]0;owned\u0007\n\tat connect (db.js:3)\rx\n";

export const scenes = {
  rolling: () =>
    scene(
      {},
      {
        "web-01": { status: { step: "serving", build: "9b1e0d4", since: ago(400) } },
        "web-02": { status: { step: "check", begun: true, since: ago(4) }, slot: true },
        "web-03": { status: { step: "install", since: ago(130) } },
        "web-10": { status: { step: "ready", since: ago(90) } },
        "web-11": { status: { step: "fetch", since: ago(100) }, connected: false },
      },
    ),
  stuck: () =>
    scene(
      { times: { created: ago(4_000), changed: ago(3_900) } },
      {
        "web-01": { status: { step: "serving", build: "9b1e0d4", since: ago(3_000) } },
        "web-02": { status: { step: "install", since: ago(2_000) } },
        "web-03": {},
        "web-04": { connected: false },
      },
    ),
  halted: () =>
    scene(
      {
        state: "halted",
        reason: "web-02: check failed",
        times: { created: ago(600), changed: ago(60), ended: ago(60) },
      },
      {
        "web-01": { status: { step: "serving", build: "9b1e0d4", since: ago(400) } },
        "web-02": { status: { step: "failed", error: checkError, log: hostileLog, since: ago(60) }, failure: {} },
        "web-03": { connected: false, failure: { reason: "lost while it held a slot", healthy: false } },
        "web-04": { status: { step: "ready", since: ago(500) } },
      },
    ),
  canary: () =>
    scene(
      { state: "awaiting promotion" },
      {
        "web-01": { role: "canary", status: { step: "serving", build: "9b1e0d4", since: ago(400) } },
        "web-02": { status: { step: "serving", wish: { build: "77ac001", deploy: "20260630-100000-00ff" } } },
      },
    ),
  paused: () =>
    scene(
      {
        state: "paused",
        reason: "paused by ana@laptop: the error rate",
        limits: { max: "5,50%", maxPerZone: "10%", budget: "10%", soakMs: 5_000 },
        base: { hosts: 3, zones: {} },
        times: { created: ago(600), changed: ago(60) },
      },
      {
        "web-01": { status: { step: "serving", build: "9b1e0d4", since: ago(400) } },
        "web-02": { status: { step: "check", begun: true, since: ago(70) }, slot: true },
        "web-03": { status: { step: "ready", since: ago(500) } },
      },
    ),
  stageOver: () =>
    scene(
      {
        state: "awaiting promotion",
        stages: parseStages("canary,zone:a/promote,50%"),
        stage: 1,
        reach: { zones: ["a"], below: 0 },
        limits: { max: "50%", budget: 1, soakMs: 5_000 },
      },
      {
        "web-01": { zone: "a", status: { step: "serving", build: "9b1e0d4", since: ago(400) } },
        "web-02": {
          zone: "b",
          status: { step: "serving", wish: { build: "77ac001", deploy: "20260630-100000-00ff" } },
        },
      },
    ),
  stageWaits: () =>
    scene(
      {
        state: "awaiting promotion",
        stages: parseStages("zone:a/1h,100%"),
        reach: { zones: ["a"], below: 0 },
      },
      { "web-01": { zone: "a", status: { step: "serving", build: "9b1e0d4", since: ago(400) } } },
    ),
  done: () =>
    scene(
      { state: "done", times: { created: ago(600), changed: ago(60), ended: ago(60) } },
      {
        "web-01": { status: { step: "serving", build: "9b1e0d4", since: ago(400) } },
        "web-02": { status: { step: "serving", build: "9b1e0d4", since: ago(70) } },
        "web-03": { connected: false },
      },
    ),
  rolledBack: () =>
    scene(
      {
        state: "rolled back",
        reason: "checkout fails",
        rollback: { who: "ana@laptop", why: "checkout fails", time: ago(200), from: "done", to: "77ac001" },
        times: { created: ago(600), changed: ago(60), ended: ago(60) },
      },
      { "web-01": { status: { step: "serving", wish: { build: "77ac001", deploy: id } } } },
    ),
  ill: () =>
    scene(
      { state: "done", times: { created: ago(86_400), changed: ago(86_000), ended: ago(86_000) } },
      {
        "web-01": {
          status: {
            step: "serving",
            build: null,
            health: "unhealthy",
            ill: { since: ago(300), why: "none of its processes runs", forS: 0 },
            since: ago(300),
          },
        },
        "web-02": {
          status: {
            step: "serving",
            build: "9b1e0d4",
            health: "unhealthy",
            ill: { since: ago(40), why: "its check failed: connection refused", forS: 25 },
            since: ago(40),
          },
        },
        "web-03": { status: { step: "serving", build: "9b1e0d4" } },
      },
    ),
  empty: (): Overview => ({
    ...scene({}, {}),
    service: "api",
    wishes: { enabled: null, canary: null },
    deploy: null,
  }),
} satisfies Record<string, () => Overview>;
