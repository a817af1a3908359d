import { dirname } from "node:path";
import type { DeployError } from "../core/errors.ts";
import type { Files } from "./files.ts";
import { requireTrustedWay } from "./trusted_place.ts";

const OPEN_TO_OTHERS = 0o077;

/**
 * The content of a file that agent.toml names for a secret, which nobody but its owner may read or write.
 *
 * @param unusable makes the error of a file that cannot be used, from the reason
 * @throws DeployError that `unusable` makes, and another where somebody else could replace the file of an agent that is root
 */
export async function readSecretFile(
  path: string,
  files: Files,
  isRoot: boolean,
  unusable: (why: string) => DeployError,
): Promise<string> {
  const entry = await files.look(path);
  if (entry === null) throw unusable("there is no such file");
  if (entry.kind !== "file") throw unusable("it is not a regular file");
  // Whoever could replace the file could make root send the content of another one.
  if (isRoot) await requireTrustedWay(dirname(path), dirname(path), files);
  if (isRoot && entry.uid !== 0) throw unusable(`it belongs to user ${entry.uid}`);
  if ((entry.mode & OPEN_TO_OTHERS) !== 0) throw unusable("others than its owner may read or write it");
  const text = await files.readUnlinked(path);
  if (text === null) throw unusable("there is no such file");
  return text;
}
