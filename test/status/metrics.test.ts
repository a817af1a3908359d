import { describe, expect, test } from "bun:test";
import { noticeResults } from "../../src/core/notices.ts";
import type { ServiceReport } from "../../src/core/service_report.ts";
import { errorCodeSchema } from "../../src/schema/error_code.ts";
import { deployStateSchema } from "../../src/schema/deploy_record.ts";
import type { AgentStatus } from "../../src/status/agent_status.ts";
import { metricsOf, reportOf, serviceView, viewOf } from "./agent_status.ts";
import { statusOf } from "../store/site.ts";

const CONDUCTED = /^deployd_(?:deploy|fleet)_/;

/** What is exported, by name and labels. */
async function samples(metrics: { text(): Promise<string> }): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

describe("a host", () => {
  test("says what it serves, and forgets the build before", async () => {
    let view = viewOf();
    const metrics = metricsOf(() => view);
    expect(await metrics.text()).toContain('deployd_service_build_info{service="web",build="v1"} 1');
    const status = { ...serviceView().status, build: "v2", health: "unhealthy" } as const;
    view = viewOf({ services: [serviceView({ status, servedAtMs: 1_500 })] });
    const text = await metrics.text();
    expect(text).toContain('build="v2"} 1');
    expect(text).not.toContain('build="v1"');
    expect(text).toContain('deployd_service_healthy{service="web"} 0');
    expect(text).toContain('deployd_service_unhealthy{service="web"} 1');
    expect(text).toContain('deployd_service_converged{service="web"} 0');
    expect(text).toContain('deployd_last_deploy_timestamp_seconds{service="web"} 1.5');
    expect(text).toContain("deployd_zk_session_losses_total 2");
  });

  test("that serves nothing yet is neither healthy nor ill", async () => {
    const status = statusOf({ build: null, health: "nothing", step: "idle" });
    const seen = await samples(metricsOf(() => viewOf({ services: [serviceView({ status })] })));
    expect(seen.get('deployd_service_healthy{service="web"}')).toBe(0);
    expect(seen.get('deployd_service_unhealthy{service="web"}')).toBe(0);
  });

  test("says what has failed, is held, or is in its way", async () => {
    const held = { build: "v0", deploy: "d0", number: 1 };
    const ill = serviceView({ status: statusOf({ step: "failed", held }), problem: "it is held" });
    const seen = await samples(metricsOf(() => viewOf({ services: [serviceView(), { ...ill, service: "api" }] })));
    for (const name of ["failed", "held", "problem"]) {
      expect(seen.get(`deployd_service_${name}{service="web"}`)).toBe(0);
      expect(seen.get(`deployd_service_${name}{service="api"}`)).toBe(1);
    }
  });

  test("has every series of every service from the start: nothing that happens later brings one", async () => {
    const view = viewOf({ services: [serviceView(), serviceView({ service: "api", readAtMs: 0 })] });
    const metrics = metricsOf(() => view);
    const before = await samples(metrics);
    for (const service of ["web", "api"]) {
      const counters = metrics.of(service);
      for (const step of ["fetch", "verify", "extract", "install", "flip", "restart", "check", "soak"] as const) {
        counters.stepDone(step, 1);
        for (const code of [...errorCodeSchema.options, "of a newer agent"]) counters.stepFailed(step, code);
      }
      for (const result of ["served", "failed"] as const) counters.deployEnded(result);
      const phaseMs = { off: 1, tell: 1, idle: 1, stop: 1, start: 1, healthy: 1, on: 1, probe: 1 };
      counters.restarted({ instances: 2, closed: 1, refused: 3, forced: [], phaseMs });
    }
    for (const result of noticeResults) metrics.noticed("ops", result);
    const after = await samples(metrics);
    expect([...after.keys()]).toEqual([...before.keys()]);
    const counted = [...after].filter(([name]) => /_total\{|_count\{/.test(name));
    expect(counted.length).toBeGreaterThan(100);
    expect(counted.filter(([, value]) => value === 0)).toEqual([]);
    expect(counted.filter(([name]) => before.get(name) !== 0)).toEqual([]);
    expect(counted.filter(([name]) => !/(service|target)="/.test(name))).toEqual([]);
  });

  test("counts a failure by service, step and code, and one that nobody expects of the step as another", async () => {
    const metrics = metricsOf();
    metrics.of("web").stepFailed("fetch", "digest-mismatch");
    metrics.of("web").stepFailed("fetch", "digest-mismatch");
    metrics.of("web").stepFailed("fetch", "restart-failed");
    const seen = await samples(metrics);
    const failures = (reason: string) =>
      seen.get(`deployd_step_failures_total{service="web",step="fetch",reason="${reason}"}`);
    expect([failures("digest-mismatch"), failures("other"), failures("fetch-failed")]).toEqual([2, 1, 0]);
  });
});

describe("the conductor", () => {
  test("says of every service how its deploy stands, each state with 0 or 1", async () => {
    const hosts = { serving: 3, failed: 1, away: 2, restarting: 1, waiting: 4 };
    const halted = reportOf({
      deploy: { id: "d7", build: "v2", state: "halted" },
      hosts,
      agents: { connected: 9, away: 2 },
      unreadable: 1,
    });
    const reports = [halted, reportOf({ service: "api", stillForMs: 2_500 })];
    const seen = await samples(metricsOf(viewOf, () => reports));
    for (const state of deployStateSchema.options) {
      const of = (service: string) => seen.get(`deployd_deploy_state{service="${service}",state="${state}"}`);
      expect([of("web"), of("api")]).toEqual([state === "halted" ? 1 : 0, 0]);
    }
    for (const [state, count] of Object.entries(hosts)) {
      expect(seen.get(`deployd_deploy_hosts{service="web",state="${state}"}`)).toBe(count);
      expect(seen.get(`deployd_deploy_hosts{service="api",state="${state}"}`)).toBe(0);
    }
    expect(seen.get('deployd_deploy_info{service="web",deploy="d7",build="v2"}')).toBe(1);
    expect(seen.get('deployd_deploy_progress_age_seconds{service="api"}')).toBe(2.5);
    expect(seen.get('deployd_fleet_hosts{service="web",agent="away"}')).toBe(2);
    expect(seen.get('deployd_fleet_unreadable_records{service="web"}')).toBe(1);
    expect(seen.get("deployd_conductor")).toBe(1);
  });

  test("that is one no more says nothing of deploys", async () => {
    let reports: readonly ServiceReport[] | null = [reportOf()];
    const metrics = metricsOf(
      (): AgentStatus => viewOf(),
      () => reports,
    );
    expect([...(await samples(metrics)).keys()].filter((name) => CONDUCTED.test(name)).length).toBeGreaterThan(15);
    reports = null;
    const seen = await samples(metrics);
    expect([...seen.keys()].filter((name) => CONDUCTED.test(name))).toEqual([]);
    expect(seen.get("deployd_conductor")).toBe(0);
  });
});
