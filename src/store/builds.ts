import { DeployError } from "../core/errors.ts";
import { nearest } from "../schema/problems.ts";
import { buildRecordSchema, type BuildRecord } from "../schema/znodes.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { attempting } from "./errors.ts";
import { buildPath, buildsPath } from "./paths.ts";
import { childrenOf, encode, readChildren, readRecord, type Versioned } from "./records.ts";

export async function listBuilds(
  zk: ZooKeeper,
  service: string,
  onProblem: (problem: string) => void = () => {},
): Promise<{ id: string; record: BuildRecord }[]> {
  return attempting(`Cannot list the builds of "${service}"`, async () => {
    const read = (id: string) => readRecord(zk, buildPath(service, id), buildRecordSchema);
    return [...(await readChildren(zk, buildsPath(service), read, onProblem))]
      .toSorted(([, a], [, b]) => (a.czxid < b.czxid ? -1 : 1))
      .map(([id, { value: record }]) => ({ id, record }));
  });
}

/** @throws DeployError `build-unknown`, with the nearest known id */
export async function readBuild(zk: ZooKeeper, service: string, build: string): Promise<Versioned<BuildRecord>> {
  return attempting(`Cannot read build "${build}" of "${service}"`, async () => {
    const found = await readRecord(zk, buildPath(service, build), buildRecordSchema);
    if (found !== null) return found;
    const near = nearest(build, await childrenOf(zk, buildsPath(service)));
    throw new DeployError(`There is no build "${build}" of "${service}".`, {
      code: "build-unknown",
      hint: near === undefined ? `Add it with: deployd ctl builds add ${service} FILE` : `Did you mean "${near}"?`,
    });
  });
}

/**
 * Adds a build. Builds never change: the same id with the same digest is taken as said already, with another digest it
 * is refused.
 *
 * @throws DeployError `build-exists`
 */
export async function addBuild(
  zk: ZooKeeper,
  service: string,
  build: string,
  record: BuildRecord,
): Promise<"added" | "was there"> {
  return attempting(`Cannot add build "${build}" to "${service}"`, async () => {
    try {
      await zk.create(buildPath(service, build), encode(record));
      return "added";
    } catch (error) {
      if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
    }
    const there = await readBuild(zk, service, build);
    if (there.value.digest === record.digest && there.value.strip === record.strip) return "was there";
    if (there.value.digest === record.digest) {
      const said = (strip: 1 | undefined) => `${strip === 1 ? "with" : "without"} its top directory stripped`;
      throw new DeployError(
        `Cannot add build "${build}" to "${service}" ${said(record.strip)}: it exists ${said(there.value.strip)}.`,
        { code: "build-exists", hint: "Builds never change. Give this one an id of its own." },
      );
    }
    throw new DeployError(
      `Cannot add build "${build}" to "${service}": it exists with ${there.value.digest}, this file has ${record.digest}.`,
      { code: "build-exists", hint: "Builds never change. Give this one an id of its own." },
    );
  });
}
