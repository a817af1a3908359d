import { DeployError } from "../core/errors.ts";
import { nearest } from "../schema/problems.ts";
import { buildRecordSchema, type BuildRecord } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { attempting } from "./errors.ts";
import { buildPath, buildsPath } from "./paths.ts";
import { childrenOf, encode, readChildren, readRecord, type Versioned } from "./records.ts";

export async function listBuilds(
  zk: ZooKeeper,
  service: string,
  onProblem: (problem: string) => void = () => {},
): Promise<{ id: string; record: BuildRecord }[]> {
  return attempting(`Cannot list the builds of "${service}"`, async () => {
    return [...(await readChildren(zk, buildsPath(service), buildRecordSchema, onProblem))]
      .toSorted(([, a], [, b]) => (a.czxid < b.czxid ? -1 : 1))
      .map(([id, { value: record }]) => ({ id, record }));
  });
}

/** @throws DeployError `build-unknown`, with the nearest known id */
export async function readBuild(zk: ZooKeeper, service: string, build: string): Promise<Versioned<BuildRecord>> {
  return attempting(`Cannot read build "${build}" of "${service}"`, async () => {
    const found = await readRecord(zk, buildPath(service, build), buildRecordSchema);
    if (found !== null) return found;
    throw unknownBuild(service, build, await childrenOf(zk, buildsPath(service)));
  });
}

/** @param known the builds that exist */
export function unknownBuild(service: string, build: string, known: readonly string[]): DeployError {
  const near = nearest(build, known);
  return new DeployError(`There is no build "${build}" of "${service}".`, {
    code: "build-unknown",
    hint: near === undefined ? `Add it with: deployd ctl builds add ${service} FILE` : `Did you mean "${near}"?`,
  });
}

/** What `addBuild` did: added the build, found the same one there already, or recorded where its archive lies now. */
export type Added = { readonly kind: "added" | "was there" } | { readonly kind: "moved"; readonly from: string };

/**
 * Adds a build. Builds never change: the same id with another digest is refused. The place of the archive is not part of
 * the build, so with the same digest and another URL only the URL is updated; hosts that are fetching it continue from
 * there.
 *
 * @throws DeployError `build-exists`
 */
export async function addBuild(zk: ZooKeeper, service: string, build: string, record: BuildRecord): Promise<Added> {
  return attempting(`Cannot add build "${build}" to "${service}"`, async () => {
    try {
      await zk.create(buildPath(service, build), encode(record));
      return { kind: "added" };
    } catch (error) {
      if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
    }
    const there = await readBuild(zk, service, build);
    const { url, digest, strip = 0 } = there.value;
    if (digest === record.digest) {
      if (record.strip !== undefined && record.strip !== strip) throw strippedOtherwise(service, build, record.strip);
      if (url === record.url) return { kind: "was there" };
      await zk.set(buildPath(service, build), encode({ ...there.value, url: record.url }), there.version);
      return { kind: "moved", from: url };
    }
    throw new DeployError(
      `Cannot add build "${build}" to "${service}": it exists with ${digest}, this file has ${record.digest}.`,
      { code: "build-exists", hint: "Builds never change. Give this one an id of its own." },
    );
  });
}

/** @param strip what the new record says; the existing one says the opposite */
function strippedOtherwise(service: string, build: string, strip: 0 | 1): DeployError {
  const [now, before] = strip === 1 ? ["with", "without"] : ["without", "with"];
  return new DeployError(
    `Cannot add build "${build}" to "${service}" ${now} its top directory stripped: it exists ${before}.`,
    { code: "build-exists", hint: "Builds never change. Give this one an id of its own." },
  );
}
