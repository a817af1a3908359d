import type { HeldBack } from "../core/between_services.ts";
import { isDeployError } from "../core/errors.ts";
import { ServiceMirror } from "../store/mirror.ts";
import { shown } from "../store/mirror_marks.ts";
import { readHeldBack } from "../store/held_back.ts";
import { heldBackIn } from "../store/services_now.ts";
import { agentsPath, servicePath, servicesPath } from "../store/paths.ts";
import { listServices } from "../store/services.ts";
import { overviewOf, type Overview } from "../view/overview.ts";
import type { ServiceLook } from "../view/service_rows.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";

/** Something that is read again and again; only what has changed since the last reading is read from ZooKeeper. */
export interface Watched<T> {
  /** A change anywhere below these paths may change it. */
  readonly paths: readonly string[];
  /** @param path of a node that was created, changed or deleted */
  mark(path: string): void;
  /** Changes may have been missed, so everything counts as changed. */
  markAll(): void;
  read(zk: ZooKeeper): Promise<T>;
}

/** A service of which it is known whether a reading was overtaken by a change. */
export interface WatchedService extends Watched<Overview> {
  /** Something has changed since it was read, or while it was. */
  isStale(): boolean;
}

/** One service. Reading it throws DeployError `service-unknown` if it does not exist. */
export function watchedService(service: string): WatchedService {
  const mirror = new ServiceMirror(service, shown);
  /** Null when it has to be read; of other services nothing is watched, so that it is as old as the last change here. */
  let heldBack: HeldBack | null = null;
  return {
    paths: [servicePath(service), agentsPath],
    mark: (path) => mirror.mark(path),
    markAll: () => mirror.markAll(),
    isStale: () => mirror.isStale,
    read: async (zk) => {
      if (mirror.isStale) heldBack = null;
      await mirror.lookAgain(zk);
      heldBack ??= await readHeldBack(zk, mirror);
      return overviewOf(mirror, heldBack);
    },
  };
}

/** All services. A damaged record of one does not hide the others. */
export class WatchedServices implements Watched<ServiceLook[]> {
  readonly paths = [servicesPath, agentsPath];
  readonly #mirrors = new Map<string, ServiceMirror>();
  #isListStale = true;

  mark(path: string): void {
    if (path.startsWith(`${agentsPath}/`)) {
      for (const mirror of this.#mirrors.values()) mirror.mark(path);
      return;
    }
    const [service = ""] = path.slice(servicesPath.length + 1).split("/");
    const mirror = this.#mirrors.get(service);
    mirror?.mark(path);
    // The service itself may also have been created or deleted.
    if (mirror === undefined || path === servicePath(service)) this.#isListStale = true;
  }

  markAll(): void {
    this.#isListStale = true;
    for (const mirror of this.#mirrors.values()) mirror.markAll();
  }

  async read(zk: ZooKeeper): Promise<ServiceLook[]> {
    if (this.#isListStale) await this.#list(zk);
    const byName = [...this.#mirrors.values()].toSorted((a, b) => (a.service < b.service ? -1 : 1));
    const looks = await Promise.all(byName.map((mirror) => look(zk, mirror)));
    return looks.map((problem, at) => problem ?? overview(byName[at] as ServiceMirror, byName));
  }

  async #list(zk: ZooKeeper): Promise<void> {
    this.#isListStale = false;
    const services = await listServices(zk).catch((error: unknown) => {
      this.#isListStale = true;
      throw error;
    });
    for (const service of this.#mirrors.keys()) if (!services.includes(service)) this.#mirrors.delete(service);
    for (const service of services)
      if (!this.#mirrors.has(service)) this.#mirrors.set(service, new ServiceMirror(service, shown));
  }
}

/** @returns why it cannot be read; null where it was */
async function look(zk: ZooKeeper, mirror: ServiceMirror): Promise<ServiceLook | null> {
  const { service } = mirror;
  try {
    await mirror.lookAgain(zk);
    return null;
  } catch (error) {
    if (!isDeployError(error) || error.retry) throw error;
    return { service, problem: error.message };
  }
}

function overview(mirror: ServiceMirror, all: readonly ServiceMirror[]): ServiceLook {
  const { service } = mirror;
  return { service, overview: overviewOf(mirror, heldBackIn(service, all)) };
}
