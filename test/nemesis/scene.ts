import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import type { Chronicle } from "./chronicle.ts";
import { Ensemble } from "./ensemble.ts";
import { clearAway, hostPlace, layOut, serverPlace, within, type Place } from "./network.ts";
import { goodSite, hostKillingSite, sickSite } from "./sites.ts";

export const SERVICE = "web";
export const LIMITS = { max: 3, budget: 1, soakS: 0.3 };
/** A session that is cut off or frozen for longer expires. */
export const SESSION_S = 4;
const PORT = 8080;
/** An agent leaves 64 MiB to others. */
const DISK = "size=128m";

export interface SceneOptions {
  readonly agents: number;
  readonly servers: number;
  readonly chronicle: Chronicle;
}

/** The fleet, its servers and their network: everything that a nemesis has to do with. */
export class Scene implements AsyncDisposable {
  readonly fleet: Fleet;
  readonly ensemble: Ensemble;
  readonly chronicle: Chronicle;
  readonly good: readonly string[] = Array.from({ length: 6 }, (_, at) => `good${at + 1}`);
  readonly sick: readonly string[] = ["sick1", "sick2"];
  readonly killing: readonly string[] = ["killing1", "killing2"];
  readonly #stack: AsyncDisposableStack;

  private constructor(fleet: Fleet, ensemble: Ensemble, chronicle: Chronicle, stack: AsyncDisposableStack) {
    this.fleet = fleet;
    this.ensemble = ensemble;
    this.chronicle = chronicle;
    this.#stack = stack;
  }

  /** Everybody serves the first build when it resolves. */
  static async open({ agents, servers, chronicle }: SceneOptions): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const places: Place[] = [
      ...Array.from({ length: servers }, (_, at) => serverPlace(at + 1)),
      ...Array.from({ length: agents }, (_, at) => hostPlace(`${SERVICE}-${at + 1}`, at + 1)),
    ];
    stack.defer(() => clearAway(places));
    await layOut(places);
    const directory = join(process.env["TMPDIR"] ?? "/tmp", `servers-${crypto.randomUUID()}`);
    const ensemble = new Ensemble(servers, directory);
    stack.defer(() => ensemble.stop());
    await ensemble.start();
    const fleet = stack.use(
      await Fleet.open({
        hosts: agents,
        zookeeper: ensemble.connectString,
        host: (name) => ({
          port: PORT,
          runAs: "root",
          under: within(placeOf(name)),
          sessionTimeoutS: SESSION_S,
          // As it runs everywhere.
          runtime: {},
          env: { NETWORK: name },
        }),
      }),
    );
    for (const { dir } of fleet.hosts) {
      await mkdir(join(dir, "srv"), { recursive: true });
      stack.use(await mountTmpfs(join(dir, "srv"), DISK));
    }
    const scene = new Scene(fleet, ensemble, chronicle, stack.move());
    try {
      await scene.#begin();
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
    return scene;
  }

  place(host: FleetHost): Place {
    return placeOf(host.name);
  }

  address(host: FleetHost): string {
    return `${placeOf(host.name).address}:${PORT}`;
  }

  /** The agent with all that runs on its host is started again. */
  async boot(host: FleetHost): Promise<void> {
    if (host.isUp) return;
    this.chronicle.tell(`agent of ${host.name} started`);
    await host.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  async #begin(): Promise<void> {
    const { fleet } = this;
    await fleet.begin(true);
    const { max, budget, soakS } = LIMITS;
    const limits = ["--max", `${max}`, "--budget", `${budget}`, "--soak-s", `${soakS}`];
    await fleet.ok("services", "set", SERVICE, ...limits);
    await Promise.all([
      ...this.good.map((id) => fleet.addSite(goodSite(id))),
      ...this.sick.map((id) => fleet.addSite(sickSite(id))),
      ...this.killing.map((id) => fleet.addSite(hostKillingSite(id))),
    ]);
    await fleet.ok("deploy", SERVICE, this.good[0] ?? "", "--soak-s", "0", "--timeout-s", "60");
  }
}

function placeOf(name: string): Place {
  return hostPlace(name, Number(name.slice(SERVICE.length + 1)));
}
