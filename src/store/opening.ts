import { DeployError } from "../core/errors.ts";
import { isFrozen, isOpen, nextOpening, parseWindow } from "../core/windows.ts";
import type { ServiceSettings } from "../schema/znodes.ts";
import type { ServiceHead } from "./deploys.ts";

/** The service as its opening hours see it. */
export interface Doors {
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly latest: ServiceHead["latest"];
}

interface Asked {
  readonly now: Date;
  readonly override?: string | undefined;
}

/**
 * Requires that something may be deployed to the service now: it is not frozen, and one of its windows is open. A person may
 * override that with a reason, which goes on record.
 *
 * @throws DeployError `frozen`
 */
export function assertOpen(
  service: string,
  settings: ServiceSettings,
  latest: ServiceHead["latest"],
  attempted: string,
  asked: Asked,
): void {
  const [problem] = whyClosed({ service, settings, latest }, attempted, asked);
  if (problem !== undefined) throw problem;
}

/** Everything for which nothing may be deployed to the service now. */
export function whyClosed({ service, settings, latest }: Doors, attempted: string, asked: Asked): DeployError[] {
  const { now, override } = asked;
  if (override !== undefined) return [];
  const { freeze = null, windows = [], thawed } = settings;
  const anyway = 'say why it has to be now: --override "REASON"';
  const problems: DeployError[] = [];
  if (freeze !== null && isFrozen(freeze, now)) {
    const until = freeze.until === undefined ? "" : ` until ${freeze.until}`;
    const why = freeze.why === "" ? "" : `: ${freeze.why}`;
    problems.push(
      new DeployError(`${attempted}: it is frozen${until}, by ${freeze.who}${why}.`, {
        code: "frozen",
        hint: `Allow deploys again with: deployd ctl unfreeze ${service}, or ${anyway}`,
      }),
    );
  }
  if (latest?.record.state === "halted" && latest.record.onHalt === "freeze" && thawed !== latest.id) {
    const { build, reason } = latest.record;
    problems.push(
      new DeployError(
        `${attempted}: it is frozen since deploy ${latest.id} of "${build}" halted${reason === "" ? "" : ` (${reason})`}.`,
        {
          code: "frozen",
          hint: `Look at what it has left, and then allow deploys again with: deployd ctl unfreeze ${service}, or ${anyway}`,
        },
      ),
    );
  }
  const parsed = windows.map(parseWindow);
  if (isOpen(parsed, now)) return problems;
  // Of a window that does not come for weeks nothing is known.
  const opening = nextOpening(parsed, now);
  const next = opening === null ? "" : `; the next one opens at ${opening.toISOString()}`;
  problems.push(
    new DeployError(`${attempted}: none of its windows is open now (${windows.join("; ")})${next}.`, {
      code: "frozen",
      hint: `Wait until one opens, or ${anyway}`,
    }),
  );
  return problems;
}
