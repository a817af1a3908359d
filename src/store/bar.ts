import { halted } from "../core/deploy.ts";
import { buildWanted, goesBack, isRunning } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import { buildRecordSchema, type BuildRecord } from "../schema/znodes.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { readBuild } from "./builds.ts";
import { readHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { buildPath, deployPath } from "./paths.ts";
import { encode, readRecord } from "./records.ts";

type Barred = NonNullable<BuildRecord["barred"]>;

/** How many times in a row a deploy is read again because it has changed in between. */
const MOST_TRIES = 20;

/**
 * Whoever brings a build to more hosts calls this first, and checks the record's version in its `multi`, so that the
 * `multi` fails when the build was barred in between.
 *
 * @param said `what` names the build in the second half of the message, `hint` says what to do
 * @throws DeployError `build-barred`
 */
export function assertNotBarred(
  { barred }: Pick<BuildRecord, "barred">,
  attempted: string,
  said: { readonly what: string; readonly hint: string },
): void {
  if (barred === undefined) return;
  throw new DeployError(`${attempted}: ${said.what} was ${whyBarred(barred)}.`, {
    code: "build-barred",
    hint: said.hint,
  });
}

/** "barred by alice at 2026-07-01T12:00:00.000Z (leaks connections)" */
export function whyBarred({ who, why, time }: Barred): string {
  return `barred by ${who} at ${time}${why === "" ? "" : ` (${why})`}`;
}

/**
 * The builds that a deploy leads to, forwards and back, that no host may be brought to, because they are barred or
 * removed.
 */
export async function barredOf(
  zk: ZooKeeper,
  service: string,
  { build, previous }: Pick<DeployRecord, "build" | "previous">,
): Promise<ReadonlySet<string>> {
  const builds = previous === null ? [build] : [build, previous];
  const found = await Promise.all(
    builds.map(async (id) => {
      try {
        const record = await readRecord(zk, buildPath(service, id), buildRecordSchema);
        return record === null || record.value.barred !== undefined ? [id] : [];
      } catch {
        // A record that cannot be read is reported to whoever deploys that build.
        return [];
      }
    }),
  );
  return new Set(found.flat());
}

/** What `barBuild` found. */
export interface BarredBuild {
  /** The deploy that was bringing the build to hosts; it is halted now. Null where there was none. */
  readonly halted: string | null;
  /** The newest deploy, if it has brought the build to hosts. */
  readonly serving: DeployRecord | null;
}

/**
 * Bars a build. A deploy that is bringing it to hosts is halted in the same `multi`, so that no further host gets it.
 * Hosts that serve it are left alone.
 *
 * @throws DeployError `build-unknown`
 */
export async function barBuild(zk: ZooKeeper, service: string, build: string, barred: Barred): Promise<BarredBuild> {
  const attempted = `Cannot bar build "${build}" of "${service}"`;
  for (let tries = 1; ; tries += 1) {
    const { value, version } = await readBuild(zk, service, build);
    const { latest } = await readHead(zk, service);
    const isItsBuild = latest !== null && buildWanted(latest.record) === build;
    // One that is paused brings it to nobody, and does not go on with a barred build.
    const bringsIt = isItsBuild && isRunning(latest.record) && latest.record.state !== "paused";
    const ops = [op.set(buildPath(service, build), encode({ ...value, barred }), version)];
    let record = latest?.record ?? null;
    if (bringsIt) {
      record = halted(latest.record, `"${build}" was ${whyBarred(barred)}`, new Date(barred.time));
      ops.push(op.set(deployPath(service, latest.id), encode(record), latest.version));
    }
    try {
      await zk.multi(ops);
    } catch (error) {
      if (isZooKeeperError(error, "BAD_VERSION") && tries < MOST_TRIES) continue;
      return attempting(attempted, () => Promise.reject(error));
    }
    return {
      halted: bringsIt ? latest.id : null,
      serving: record !== null && isItsBuild && !goesBack(record) ? record : null,
    };
  }
}

/** Allows a build again. @throws DeployError `build-unknown` */
export async function unbarBuild(zk: ZooKeeper, service: string, build: string): Promise<void> {
  const { value, version } = await readBuild(zk, service, build);
  const { barred: _, ...rest } = value;
  await attempting(`Cannot allow build "${build}" of "${service}" again`, () =>
    zk.set(buildPath(service, build), encode(rest), version),
  );
}
