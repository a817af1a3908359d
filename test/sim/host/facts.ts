import { layoutOf } from "../../../src/steps/layout.ts";
import { installProduct, type SimBuild } from "./builds.ts";
import type { HostService } from "./ground.ts";
import { currentDirectory, readRelease } from "./release.ts";
import type { SimHost } from "./sim_host.ts";

/** What is true of one instance in this instant, whatever anybody says of it. */
export interface InstanceFact {
  readonly instance: string;
  /** What has its port; null when nothing listens there. */
  readonly serves: {
    readonly build: string;
    readonly isWell: boolean;
    /** Every file that it was started from was its build's, and every install step had left what it leaves. */
    readonly isGenuine: boolean;
    readonly isInstalled: boolean;
  } | null;
  readonly hasTraffic: boolean;
}

export function instanceFacts(host: SimHost, service: HostService): InstanceFact[] {
  return service.instances.map((instance) => {
    const found = host.running.at(instance.port);
    const serves =
      found === null
        ? null
        : {
            build: found.release.program.build,
            isWell: found.isWell,
            isGenuine: found.release.isGenuine,
            isInstalled: found.release.isInstalled,
          };
    return { instance: instance.name, serves, hasTraffic: host.isUp && host.front.reaches(service, instance) };
  });
}

/** How many instances answer well and get new connections. */
export function inService(host: SimHost, service: HostService): number {
  return instanceFacts(host, service).filter(({ serves, hasTraffic }) => serves?.isWell === true && hasTraffic).length;
}

/** Whether clients of the service are served by this host as its owner wants them to be. */
export function isInService(host: SimHost, service: HostService): boolean {
  return inService(host, service) >= Math.max(1, service.minAvailable);
}

/** `current` as somebody sees it who looks now. */
export type CurrentFact =
  | { readonly kind: "absent" }
  | { readonly kind: "release"; readonly build: string; readonly isGenuine: boolean }
  /** Something else, or a link to nothing that could be started. */
  | { readonly kind: "torn"; readonly what: string };

export function currentFact({ disk, ground }: SimHost, { root }: HostService): CurrentFact {
  const path = layoutOf(root).current;
  const found = disk.look(path);
  if (found === null) return { kind: "absent" };
  const directory = currentDirectory(ground, root);
  const release = directory === null ? null : readRelease(ground, directory);
  if (release === null) return { kind: "torn", what: directory === null ? found.kind : `a link to ${directory}` };
  return { kind: "release", build: release.program.build, isGenuine: release.isGenuine };
}

/** The builds that `current` may lead to when the power is cut in this instant; null when it may be gone. */
export function currentAfterPowerCut({ disk }: SimHost, { root }: HostService): ReadonlySet<string | null> {
  const targets = [...disk.possibleTargets(layoutOf(root).current)];
  return new Set(targets.map((target) => target?.split("/").at(-1) ?? null));
}

/** Puts a build in place and starts it, as somebody did by hand before there was any agent. */
export function provision(host: SimHost, service: HostService, build: SimBuild): void {
  const { disk, ground } = host;
  const layout = layoutOf(service.root);
  const write = (path: string, text: string): void => {
    disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
    disk.append(disk.create(path), Buffer.from(text));
  };
  const directory = layout.release(build.id);
  for (const [path, text] of build.files) write(`${directory}/${path}`, text);
  for (const at of (build.plan.install ?? []).keys()) {
    const { name, text } = installProduct(build.id, at + 1);
    write(`${directory}/${name}`, text);
  }
  write(layout.record(build.id), `${JSON.stringify({ digest: build.digest, installed: true })}\n`);
  disk.give(directory, service.user);
  disk.makeLink(layout.current, layout.linkTarget(build.id));
  disk.flushAll();
  if (service.restart !== "command") return;
  const release = readRelease(ground, directory);
  if (release === null) throw new Error(`"${build.id}" cannot be started`);
  for (const instance of service.instances) host.running.start({ service, instance, release, byInit: false });
}
