import type { Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import type { WatchEvent, ZooKeeper } from "../../src/zookeeper/client.ts";
import { SERVICE } from "./scene.ts";

/** The steps of a deploy at which whoever conducts may be killed. */
export const CONDUCTED = [
  "any moment",
  "a new deploy",
  "a change of a deploy",
  "a slot granted",
  "a slot gone",
  "a host's word",
  "a failure",
] as const;
export type Conducted = (typeof CONDUCTED)[number];

/** How long it is waited for a step, which may not come. */
const WAIT_MS = 3_000;

/** Who conducts, and what is done. */
export class Conductor implements AsyncDisposable {
  readonly #fleet: Fleet;
  readonly #zk: ZooKeeper;
  #onStep: (event: WatchEvent) => void = () => {};

  private constructor(fleet: Fleet, zk: ZooKeeper) {
    this.#fleet = fleet;
    this.#zk = zk;
  }

  static async watch({ fleet }: { readonly fleet: Fleet }): Promise<Conductor> {
    const zk = fleet.client();
    const conductor = new Conductor(fleet, zk);
    try {
      await zk.addWatch(`/services/${SERVICE}`, "persistent-recursive", (event) => conductor.#onStep(event));
    } catch {
      // Without servers nobody conducts, and it is told that there was nothing.
    }
    return conductor;
  }

  /** Resolves with whoever conducts in the moment of such a step; with null where none has come. */
  async at(step: Conducted): Promise<FleetHost | null> {
    const known = await this.now();
    if (step === "any moment") return known;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), WAIT_MS);
    this.#onStep = (event) => {
      if (isStep(step, event)) resolve(true);
    };
    const has = await promise;
    clearTimeout(timer);
    return has ? known : null;
  }

  /** The agent that conducts; null where nobody does, or nobody can be asked. */
  async now(): Promise<FleetHost | null> {
    try {
      const { children } = await this.#zk.children("/conductor");
      const [first] = children.toSorted((a, b) => (a.slice(-10) < b.slice(-10) ? -1 : 1));
      if (first === undefined) return null;
      const { data } = await this.#zk.get(`/conductor/${first}`);
      const name = data.toString();
      return this.#fleet.hosts.find((host) => host.name === name) ?? null;
    } catch {
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zk.close();
  }
}

function isStep(step: Conducted, { type, path }: WatchEvent): boolean {
  const [section, name] = path.split("/").slice(3);
  if (name === undefined) return false;
  switch (step) {
    case "a new deploy":
      return section === "deploys" && type === "created";
    case "a change of a deploy":
      return section === "deploys" && type === "data-changed";
    case "a slot granted":
      return section === "slots" && type === "created";
    case "a slot gone":
      return section === "slots" && type === "deleted";
    case "a host's word":
      return section === "status" && type === "data-changed";
    case "a failure":
      return section === "failed";
    case "any moment":
      return true;
  }
}
