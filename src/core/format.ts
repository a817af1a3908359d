import { DeployError } from "./errors.ts";
import type { AgentRecord } from "../schema/znodes.ts";

/** The format of the tree in ZooKeeper that this deployd understands, and in which it makes a new tree. */
export const SPEAKS = 2;

/** The format of the trees that were made before their root had to say it. */
export const FIRST_FORMAT = 1;

const UNTOUCHED = "It has changed nothing, and running services go on running.";

/** The refusal of a tree that another deployd made; null where this one understands it. */
export function formatProblem(format: number, version: string): DeployError | null {
  if (format === SPEAKS) return null;
  const cannot = `Cannot work with the tree in ZooKeeper: it has format ${format}, and this deployd ${version} understands`;
  if (format > SPEAKS) {
    return new DeployError(`${cannot} none newer than ${SPEAKS}.`, {
      code: "format-unknown",
      hint: `Install a newer deployd, or point this one at another tree. ${UNTOUCHED}`,
    });
  }
  return new DeployError(`${cannot} none older than ${SPEAKS}.`, {
    code: "format-unknown",
    hint: `Point this one at another chroot (DEPLOYD_CHROOT), or remove the tree and make its services again. ${UNTOUCHED}`,
  });
}

/**
 * Every writer that raises the format calls this first: an agent that does not understand the new format would stand
 * still.
 *
 * @param agents those that are connected
 * @throws DeployError `conflict` naming the agents that understand only older formats
 */
export function assertAllSpeak(
  format: number,
  agents: ReadonlyMap<string, Pick<AgentRecord, "speaks" | "version">>,
): void {
  const behind = [...agents].filter(([, { speaks }]) => speaks < format).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (behind.length === 0) return;
  const named = behind.slice(0, 5).map(([host, { version, speaks }]) => `${host} (${version}, speaks ${speaks})`);
  const more = behind.length > named.length ? ` and ${behind.length - named.length} more` : "";
  throw new DeployError(
    `Cannot raise the format of the tree to ${format}: not every agent understands it: ${named.join(", ")}${more}.`,
    { code: "conflict", hint: "Upgrade these agents first; the tree stays as it is until then." },
  );
}
