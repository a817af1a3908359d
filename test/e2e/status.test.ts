import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet } from "../harness/fleet.ts";
import { freePort } from "../harness/ports.ts";
import type { Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };

/** What Prometheus itself sends. */
const PROMETHEUS_ACCEPT =
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4," +
  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

function promtool(metrics: string): { code: number; said: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["promtool", "check", "metrics"], { stdin: Buffer.from(metrics) });
  return { code: exitCode, said: stdout.toString() + stderr.toString() };
}

test(
  "promtool would object to metrics that are wrong",
  () => {
    expect(promtool("# TYPE x counter\nx{ 1\n").code).not.toBe(0);
  },
  TEST_MS,
);

test(
  "/status is what its reader wants: metrics that promtool accepts, or JSON",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.addSite(v1);
      await fleet.ok("deploy", "web", "v1");
      const url = await fleet.host(1).statusUrl();

      const metrics = await fetch(`${url}/status`, { headers: { accept: PROMETHEUS_ACCEPT } });
      expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const text = await metrics.text();
      expect(promtool(text)).toEqual({ code: 0, said: "" });
      expect(text).toContain('deployd_service_build_info{service="web",build="v1"} 1');
      expect(text).toContain('deployd_service_healthy{service="web"} 1');
      expect(text).toContain('deployd_service_converged{service="web"} 1');

      for (const headers of [{ accept: "*/*" }, { accept: "application/json" }]) {
        const answer = await fetch(`${url}/status`, { headers });
        expect(answer.headers.get("content-type")).toContain("application/json");
        expect(await answer.json()).toMatchObject({
          host: "web-1",
          zookeeper: { state: "connected", sessionLosses: 0 },
          problem: "",
          services: [{ service: "web", status: { build: "v1", health: "healthy", step: "serving", error: null } }],
        });
      }
    });
  },
  TEST_MS,
);

test(
  "an agent is alive before it is ready, and ready once it has read its wish",
  async () => {
    const port = await freePort();
    await withFleet({ hosts: 1, zookeeper: `127.0.0.1:${port}`, started: false }, async (fleet) => {
      const host = fleet.host(1);
      await host.start();
      const url = await host.statusUrl();
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      const unready = await fetch(`${url}/readyz`);
      expect(unready.status).toBe(503);
      expect(await unready.text()).toContain("no wish was read yet for web; ZooKeeper is");

      await using server = await startZooKeeper({ port });
      expect(server.port).toBe(port);
      await fleet.ok("services", "set", "web");
      await eventually(async () => (await fetch(`${url}/readyz`)).status === 200);
      // Gone again, the agent knows what it knew.
      await server.kill();
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      await eventually(async () => {
        const { zookeeper } = (await (await fetch(`${url}/status`)).json()) as { zookeeper: { state: string } };
        return zookeeper.state !== "connected";
      });
      expect((await fetch(`${url}/livez`)).status).toBe(200);
    });
  },
  TEST_MS,
);

test(
  "an agent whose status port is taken ends and says which",
  async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
        const { code, stderr } = await fleet.deployd(["agent", "--config", fleet.host(1).config], {
          env: { DEPLOYD_STATUS_LISTEN: `127.0.0.1:${port}` },
        });
        expect(code).toBe(1);
        expect(stderr).toContain(`Cannot open the status port 127.0.0.1:${port}`);
        expect(stderr).toContain("status.listen");
      });
    } finally {
      taken.close();
    }
  },
  TEST_MS,
);
