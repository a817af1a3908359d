// A fleet that never stands still: see ../fleet/program.ts for how it is spoken to.
import type { HostStep } from "../../../src/schema/znodes.ts";
import {
  agentPath,
  agentsPath,
  deployPath,
  deploysPath,
  enabledPath,
  hostPath,
  statusPath,
} from "../../../src/store/paths.ts";
import { encode, ensurePath } from "../../../src/store/records.ts";
import { op, type Op, type ZooKeeper } from "../../../src/zookeeper/client.ts";
import { recordIn } from "../../harness/deploy_records.ts";
import { hostStatus } from "../../harness/host_status.ts";
import { SERVICE } from "../fleet/bench_host.ts";
import { answerQuestions, wallMs } from "../fleet/program.ts";
import { clientOf } from "../fleet/tree.ts";

const DEPLOY = "bench-v2";
const BATCH = 100;
const PACE_MS = 20;
const CHANGES_PER_HUNDRED = 10;
/** What a host that changes says next. */
const STEPS: readonly HostStep[] = ["idle", "fetch", "install", "ready", "begun", "soak", "serving"];

let zk: ZooKeeper;
let names: string[] = [];
let turn = 0;
let timer: Timer | null = null;
/** Whoever was asked to say something says nothing else until it is asked again. */
let held: number | null = null;

function said(host: number, step: HostStep): string {
  const isNew = step === "serving" || step === "soak";
  return encode(
    hostStatus({
      build: isNew ? "v2" : "v1",
      health: "healthy",
      wish: { build: "v2", deploy: DEPLOY },
      step,
      attempt: 2,
      begun: step === "begun" || step === "soak",
      since: new Date(wallMs()).toISOString(),
      ...(step === "failed"
        ? {
            error: {
              code: "check-failed",
              message: `Cannot call "v2" healthy on ${host}: http 502.`,
              hint: "Look at its log.",
              build: "v2",
              step: "check" as const,
            },
          }
        : {}),
    }),
  );
}

async function many(ops: readonly Op[]): Promise<void> {
  for (let at = 0; at < ops.length; at += BATCH) await zk.multi(ops.slice(at, at + BATCH));
}

/** A service in the middle of a deploy to so many hosts in three zones. */
async function open(servers: string, count: number): Promise<void> {
  zk = clientOf(servers);
  names = Array.from({ length: count }, (_, at) => `web-${String(at + 1).padStart(5, "0")}`);
  await ensurePath(zk, agentsPath);
  const at = new Date(wallMs()).toISOString();
  const agent = {
    version: "0.1.0",
    bootId: "b",
    statusAddress: null,
    pid: 1,
    since: at,
    speaks: 2,
    lock: "",
    services: [SERVICE],
  };
  await many(
    names.flatMap((name, index) => [
      op.create(
        hostPath(SERVICE, name),
        encode({ role: "fleet", zone: `eu-${"abc"[Math.floor((index * 3) / count)]}` }),
      ),
      op.create(statusPath(SERVICE, name), said(index, STEPS[index % STEPS.length] ?? "idle")),
      op.create(agentPath(name), encode(agent), { mode: "ephemeral" }),
    ]),
  );
  const times = { created: at, changed: at };
  const record = recordIn("rolling", {
    times,
    limits: { max: "10%", budget: "5%", soakMs: 0 },
    base: { hosts: count, zones: {} },
    who: "bench",
  });
  await zk.create(deployPath(SERVICE, DEPLOY), encode(record));
  await zk.set(deploysPath(SERVICE), encode({ latest: DEPLOY, number: 1 }));
  await zk.set(enabledPath(SERVICE), encode({ build: "v2", deploy: DEPLOY, number: 1, hosts: count }));
}

/** So many hosts a second say something else, evenly. */
function change(): void {
  const perSecond = (names.length / 100) * CHANGES_PER_HUNDRED;
  const startedAt = wallMs();
  let done = 0;
  timer = setInterval(() => {
    const due = Math.floor(((wallMs() - startedAt) / 1_000) * perSecond);
    for (; done < due; done += 1) {
      turn += 1;
      // A step that shares no factor with most sizes reaches every host.
      const host = (turn * 7_919) % names.length;
      if (host === held) continue;
      const step = STEPS[(turn + host) % STEPS.length] ?? "idle";
      zk.set(statusPath(SERVICE, names[host] ?? ""), said(host, step)).catch(() => {});
    }
  }, PACE_MS);
}

await answerQuestions(async ({ ask, servers, count, host, step }) => {
  switch (ask) {
    case "open":
      await open(String(servers), Number(count));
      return {};
    case "change":
      change();
      return {};
    case "rest":
      if (timer !== null) clearInterval(timer);
      return {};
    case "say": {
      held = step === "failed" ? Number(host) : null;
      const atMs = wallMs();
      await zk.set(statusPath(SERVICE, names[Number(host)] ?? ""), said(Number(host), step as HostStep));
      return { atMs };
    }
    case "close":
      await zk.close();
      return {};
    default:
      throw new Error(`nobody answers "${String(ask)}"`);
  }
});
