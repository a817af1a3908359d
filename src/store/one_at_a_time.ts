import {
  isBeforeLastStage,
  isOnCanaries,
  isRunning,
  stageAfter,
  stageNow,
  type RunningDeploy,
} from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { goOnFrom, promotionOf, wayBackFrom } from "../core/ways_out.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { barredOf } from "./bar.ts";
import type { ServiceHead } from "./deploys.ts";

/** @throws DeployError `deploy-running` when one deploy is still under way */
export async function assertNoneRunning(
  zk: ZooKeeper,
  service: string,
  head: ServiceHead,
  build: string,
): Promise<void> {
  const { latest } = head;
  if (latest === null || !isRunning(latest.record)) return;
  const { id, record } = latest;
  throw new DeployError(
    `Cannot deploy "${build}" to "${service}": deploy ${id} of "${record.build}" by ${record.who} is ${record.state}.`,
    { code: "deploy-running", hint: howToEnd(service, record, build, await barredOf(zk, service, record)) },
  );
}

function howToEnd(service: string, record: RunningDeploy, build: string, barred: ReadonlySet<string>): string {
  const isSame = record.build === build;
  const back = wayBackFrom(service, record, barred).line;
  switch (record.state) {
    case "awaiting promotion": {
      const on = promotionOf(service, record, barred);
      if (on === null) return `One deploy at a time, and its build is barred; end it with: ${back}`;
      const to = isBeforeLastStage(record) ? "the fleet" : stageAfter(record);
      const where = isOnCanaries(record) ? "the canary hosts" : `the hosts of its stage, ${stageNow(record)},`;
      return isSame
        ? `It is on ${where} already; take it to ${to} with: ${on}`
        : `One deploy at a time: take it to ${to} first (${on}), or end it with: ${back}`;
    }
    case "paused": {
      const on = goOnFrom(service, record, barred);
      const go = on === null ? "" : `let it go on with: ${on}, or `;
      return `One deploy at a time, and this one is paused: ${go}end it with: ${back}`;
    }
    case "rolling back":
      return (
        `One deploy at a time: wait for it (deployd ctl wait ${service}). If it does not end, for instance because ` +
        `"${record.rollback.to}" is bad as well: deployd ctl abort ${service} ${record.build}`
      );
    case "preparing":
    case "canary":
    case "rolling":
      return isSame
        ? `It is under way already; wait for it with: deployd ctl wait ${service}`
        : `One deploy at a time: wait for it (deployd ctl wait ${service}), or end it with: ${back}`;
  }
}
