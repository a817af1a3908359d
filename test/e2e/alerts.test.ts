import { expect, test } from "bun:test";
import { readFile, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { deploydBinary } from "../harness/binary.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { eventually } from "../harness/eventually.ts";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { freePort } from "../harness/ports.ts";
import { Prometheus, type Alert } from "../harness/prometheus.ts";
import type { Site } from "../harness/site.ts";

/*
 * The rules file that docs/metrics.md has, in Prometheus itself, over a fleet to which each thing happens that an alert is
 * for. Only how long it has to last is made short.
 */

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2", page: "sick", checkDeadlineS: 1 };
const v3: Site = { id: "v3" };

/** Nothing has to last here, and nothing stands still for long. */
const SHORT_S = 2;

async function impatient(): Promise<string> {
  const file = join(import.meta.dir, "..", "..", "docs", "alerts.yml");
  expect(Bun.spawnSync(["promtool", "check", "rules", file]).exitCode).toBe(0);
  const rules = await readFile(file, "utf8");
  const limits = rules.match(/_age_seconds\) > \d+/g) ?? [];
  expect(limits).toHaveLength(2);
  return rules.replace(/^( *for:) .*$/gm, "$1 0s").replace(/(_age_seconds\)) > \d+/g, `$1 > ${SHORT_S}`);
}

type Samples = ReadonlyMap<string, number>;

async function scrape(host: FleetHost): Promise<Samples> {
  const text = await (await fetch(`${await host.statusUrl()}/metrics`)).text();
  const { exitCode, stdout, stderr } = Bun.spawnSync(["promtool", "check", "metrics"], { stdin: Buffer.from(text) });
  expect({ exitCode, said: `${stdout.toString()}${stderr.toString()}` }).toEqual({ exitCode: 0, said: "" });
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** Of the deploys, which only the conductor tells. */
const conducted = (samples: Samples): string[] =>
  [...samples.keys()].filter((name) => /^deployd_(?:deploy|fleet)_/.test(name)).toSorted();

/** Of the host, whose names are all there from the start; which builds there will be is not known then. */
const own = (samples: Samples): string[] =>
  [...samples.keys()].filter((name) => !/^deployd_(?:deploy|fleet|service_build)_/.test(name)).toSorted();

const LAST_DEPLOY = 'deployd_last_deploy_timestamp_seconds{service="web"}';
const AGE = 'deployd_deploy_progress_age_seconds{service="web"}';

async function conductorOf(fleet: Fleet): Promise<FleetHost> {
  return eventually(async () => {
    for (const host of fleet.hosts.filter(({ isUp }) => isUp)) {
      const samples = await scrape(host);
      // It has to have looked around once.
      if (samples.get("deployd_conductor") === 1 && samples.has(AGE)) return host;
    }
    return null;
  });
}

function named(alerts: readonly Alert[], name: string): Alert[] {
  return alerts.filter(({ alertname }) => alertname === name);
}

/** Has the cause happen, and waits for the alerts: before none of them fires, and then each does for what it is about. */
async function raises(
  prometheus: Prometheus,
  expected: Readonly<Record<string, Readonly<Record<string, string>>>>,
  cause: () => Promise<unknown>,
): Promise<void> {
  await clears(prometheus, ...Object.keys(expected));
  await cause();
  await eventually(async () => {
    const firing = await prometheus.firing();
    for (const [name, labels] of Object.entries(expected)) {
      expect(named(firing, name)).toContainEqual(expect.objectContaining({ alertname: name, ...labels }));
    }
    return true;
  });
}

async function clears(prometheus: Prometheus, ...names: string[]): Promise<void> {
  await eventually(async () => {
    const firing = await prometheus.firing();
    expect(firing.filter(({ alertname }) => names.includes(alertname))).toEqual([]);
    return true;
  });
}

test(
  "each alert of the manual fires when that happens which it is for, and no sooner",
  async () => {
    await deploydBinary();
    const server = await startDevServer({ clock: systemClock });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => server.close());
    let isAway = false;
    let archive = "";
    const artefacts = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => (isAway ? new Response("later", { status: 503 }) : new Response(Bun.file(archive))),
    });
    stack.defer(() => artefacts.stop(true));
    const temporary = await realpath(tmpdir());
    const ports = [await freePort(), await freePort(), await freePort()];
    const settings = (name: string) => ({
      sessionTimeoutS: 4,
      statusPort: ports[Number(name.at(-1)) - 1] ?? 0,
      sources: [`file://${temporary}/`, `http://127.0.0.1:${artefacts.port}/`],
    });
    // It takes seconds to find its targets, which may as well come meanwhile.
    const targets = ports.map((port) => `127.0.0.1:${port}`);
    const prometheus = stack.use(await Prometheus.start({ rules: await impatient(), targets }));
    await withFleet({ hosts: 3, zookeeper: server.connectString, host: settings }, async (fleet) => {
      const instance = (host: FleetHost): string => `127.0.0.1:${ports[fleet.hosts.indexOf(host)] ?? 0}`;
      const web = { service: "web" };
      const born = await Promise.all(fleet.hosts.map(async (host) => own(await scrape(host))));
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "3");
      await eventually(async () => (await prometheus.query("up == 1")).length === 3);
      await eventually(async () => (await prometheus.firing()).length === 0);
      await using zk = fleet.client();
      const enabled = "/services/web/enabled";
      const older = new TextDecoder().decode((await zk.get(enabled)).data);
      const { id: first } = await fleet.newest();

      // A build that no host can bring to life.
      await raises(prometheus, { DeploydDeployHalted: web, DeploydHostFailed: web }, () =>
        fleet.exits(3, "deploy", "web", "v2"),
      );
      await fleet.ok("rollback", "web");
      await clears(prometheus, "DeploydDeployHalted", "DeploydHostFailed");

      // A service that answers nothing any more: it takes some seconds until anybody looks.
      const conductor = await conductorOf(fleet);
      const ill = fleet.host(conductor === fleet.host(3) ? 2 : 3);
      const pid = Number(await readFile(join(ill.root, "shared", "run", "pid"), "utf8"));
      await clears(prometheus, "DeploydServiceUnhealthy");
      process.kill(pid, "SIGSTOP");

      // An artefact server that is away, under a canary.
      await fleet.ok("hosts", "role", "web", "web-1", "canary");
      archive = await fleet.packSite(v3);
      await fleet.ok("builds", "add", "web", archive, "--url", `http://127.0.0.1:${artefacts.port}/v3.tar.zst`);
      isAway = true;
      await raises(
        prometheus,
        {
          DeploydFetchFailing: { ...web, reason: "fetch-failed", instance: instance(fleet.host(1)) },
          DeploydDeployStuck: web,
        },
        // Whose service answers nothing is out of service already.
        () => fleet.ok("deploy", "web", "v3", "--canary", "--max", "2", "--detach"),
      );

      // The canary, when it has come, about which nobody decides.
      await raises(prometheus, { DeploydAwaitingPromotion: web }, async () => void (isAway = false));
      await clears(prometheus, "DeploydDeployStuck");

      // The conductor dies; the next one goes on with how long it has been.
      const before = await scrape(conductor);
      const others = fleet.hosts.filter((host) => host !== conductor);
      for (const other of others) expect(conducted(await scrape(other))).toEqual([]);
      await raises(prometheus, { DeploydAgentDown: { instance: instance(conductor) }, DeploydAgentAway: web }, () =>
        conductor.kill(),
      );
      const next = await conductorOf(fleet);
      const after = await scrape(next);
      expect(conducted(after)).toEqual(conducted(before));
      expect(after.get(AGE)).toBeGreaterThan(before.get(AGE) ?? Number.POSITIVE_INFINITY);
      await conductor.start();
      await clears(prometheus, "DeploydAgentDown", "DeploydAgentAway");
      const restarted = await scrape(conductor);
      expect(conducted(restarted)).toEqual([]);
      expect(before.get(LAST_DEPLOY)).toBeGreaterThan(0);
      expect(restarted.get(LAST_DEPLOY)).toBe(before.get(LAST_DEPLOY) ?? Number.NaN);

      // A tree from a backup, and a record that somebody has damaged.
      const newer = (await zk.get(enabled)).data;
      await raises(prometheus, { DeploydWishHeld: web, DeploydServiceProblem: web }, () => zk.set(enabled, older));
      await zk.set(enabled, newer);
      await clears(prometheus, "DeploydWishHeld", "DeploydServiceProblem");
      const record = `/services/web/deploys/${first}`;
      const { data } = await zk.get(record);
      await raises(prometheus, { DeploydRecordsUnreadable: web }, () => zk.set(record, "no record"));
      await zk.set(record, data);
      await clears(prometheus, "DeploydRecordsUnreadable");

      // By now somebody has looked at the service.
      await eventually(async () => {
        const unhealthy = named(await prometheus.firing(), "DeploydServiceUnhealthy");
        expect(unhealthy).toEqual([expect.objectContaining({ ...web, instance: instance(ill) })]);
        return true;
      });
      process.kill(pid, "SIGCONT");
      await fleet.ok("promote", "web");
      await clears(prometheus, "DeploydAwaitingPromotion", "DeploydServiceUnhealthy");

      // Whatever has happened: no series came that was not there from the start.
      const ended = await Promise.all(fleet.hosts.map(async (host) => own(await scrape(host))));
      expect(ended).toEqual(born);

      await raises(
        prometheus,
        { DeploydZooKeeperUnreachable: {}, DeploydNoConductor: {}, DeploydAgentNotReady: {} },
        () => server.close(),
      );
      for (const host of fleet.hosts) expect(conducted(await scrape(host))).toEqual([]);
    });
  },
  TEST_MS,
);
