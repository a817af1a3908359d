import type { Network } from "../../../src/machine/network.ts";
import { chanceOf } from "../chance.ts";
import { VirtualTime, type WallClock } from "../time.ts";
import { ArtefactServer } from "./artefacts.ts";
import { makeBuild, type BuildPlan, type SimBuild } from "./builds.ts";
import type { HostService } from "./ground.ts";
import { hostService, type ServicePlan } from "./host_file.ts";
import { SimHost } from "./sim_host.ts";

/** One host, alone in its world: for the tests of what hosts are made of. */
export interface Stage {
  readonly time: VirtualTime;
  readonly server: ArtefactServer;
  readonly host: SimHost;
  readonly service: HostService;
  /** A build that lies on the server. */
  readonly build: (plan: BuildPlan) => SimBuild & { readonly url: string };
  /** Lets time pass until it has settled. @throws when it has not within `limitMs` */
  readonly play: <T>(work: Promise<T>, limitMs?: number) => Promise<T>;
  /** Lets this much time pass. */
  readonly pass: (ms: number) => void;
}

export function stage(
  seed: string,
  { service: plan, wall }: { service?: Partial<ServicePlan>; wall?: WallClock } = {},
): Stage {
  const time = new VirtualTime();
  const chance = chanceOf(seed);
  const server = new ArtefactServer(chance.fork("artefacts"));
  const service = hostService({ name: "web", ...plan });
  const host = new SimHost({
    name: "web-01",
    time,
    chance: chance.fork("web-01"),
    services: [service],
    server,
    ...(wall === undefined ? {} : { wall }),
    dial: () => nobody,
  });
  return {
    time,
    server,
    host,
    service,
    build: (plan) => {
      const build = makeBuild(plan);
      return { ...build, url: server.publish(build) };
    },
    play: async (work, limitMs = 600_000) => {
      const endsAtMs = time.nowMs + limitMs;
      let isSettled = false;
      const settled = (): void => {
        isSettled = true;
      };
      work.then(settled, settled);
      time.run(endsAtMs, () => isSettled);
      if (!isSettled) throw new Error(`it still waits after ${limitMs} ms`);
      return work;
    },
    pass: (ms) => time.run(time.nowMs + ms),
  };
}

const nobody: Network["dial"] = () => Promise.reject(new Error("there is no ZooKeeper in this world"));
