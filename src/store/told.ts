import { toldSchema, type Told } from "../schema/told.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { allToldPath, deployPath, toldPath } from "./paths.ts";
import { readNodes } from "./read_nodes.ts";
import { damagedIn, encode, readDamaged } from "./records.ts";

/** How many of the notices that were given up are kept by number. */
const KEPT_GIVEN_UP = 10;

/** The number of the last notice of each deploy that a target knows, or that was given up; 0 where it knows none. */
export async function readTold(
  zk: ZooKeeper,
  service: string,
  target: string,
  deploys: readonly string[],
): Promise<Map<string, number>> {
  const paths = deploys.map((deploy) => toldPath(service, deploy));
  const nodes = await readNodes(zk, paths);
  return new Map(
    deploys.map((deploy, at) => {
      const node = nodes[at] ?? null;
      const told = node === null ? null : damagedIn(node, paths[at] ?? "", toldSchema).value;
      return [deploy, told?.targets[target]?.upTo ?? 0];
    }),
  );
}

/** What became of one notice. */
export interface Outcome {
  readonly target: string;
  readonly number: number;
  readonly isGivenUp: boolean;
}

/**
 * Keeps what became of a notice, for whoever conducts next. It is kept beside the deploy's record, not in it: hosts begin
 * only while the record is the one that their slots name.
 *
 * @returns false where the deploy, or its service, is gone, and nothing is left to be told
 */
export async function keepTold(zk: ZooKeeper, service: string, deploy: string, outcome: Outcome): Promise<boolean> {
  const path = toldPath(service, deploy);
  for (;;) {
    const found = await readDamaged(zk, path, toldSchema);
    const next = after(found?.value ?? { targets: {} }, outcome);
    if (next === null) return true;
    const data = encode(next);
    try {
      await zk.multi([
        op.check(deployPath(service, deploy)),
        found === null ? op.create(path, data) : op.set(path, data, found.version),
      ]);
      return true;
    } catch (error) {
      // Another conductor, or another target's turn, was faster, or has removed what was read.
      if (!isZooKeeperError(error, "BAD_VERSION", "NODE_EXISTS", "NO_NODE")) throw error;
      if (error.code !== "NO_NODE") continue;
      if (error.index !== 1 || !(await makeDirectory(zk, service))) return false;
    }
  }
}

/** Null where a later notice was told already. */
function after(told: Told, { target, number, isGivenUp }: Outcome): Told | null {
  const { upTo = 0, givenUp = [], ...facts } = told.targets[target] ?? {};
  if (upTo >= number) return null;
  const lost = isGivenUp ? [...givenUp, number].slice(-KEPT_GIVEN_UP) : givenUp;
  return { ...told, targets: { ...told.targets, [target]: { ...facts, upTo: number, givenUp: lost } } };
}

/** @returns false where the service is gone: it must not come back by this */
async function makeDirectory(zk: ZooKeeper, service: string): Promise<boolean> {
  try {
    await zk.create(allToldPath(service));
    return true;
  } catch (error) {
    if (isZooKeeperError(error, "NODE_EXISTS")) return true;
    if (isZooKeeperError(error, "NO_NODE")) return false;
    throw error;
  }
}
