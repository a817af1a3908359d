import { ROOT_UID, type Owner } from "../support/command.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/**
 * A home for a user that has none, or none that it may write in, as `useradd --system` makes them: npm, pip and the like keep
 * things there, and fail without.
 *
 * @param owner whose it is; the agent's own user's unless given
 */
export async function makeHome({ home }: Layout, owner: Owner | undefined, files: Files): Promise<void> {
  if ((await files.kindOf(home)) === "absent") await files.makeDirectory(home, 0o700);
  const made = await files.look(home);
  // Whatever else stands there is somebody's own arrangement; what is another user's changes hands with the service.
  if (owner !== undefined && made?.kind === "directory" && made.uid === ROOT_UID) await files.giveTo(home, owner);
}
