import { ROOT_UID, type Owner } from "../support/command.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/**
 * Makes a HOME for a user that has none, or none that it may write to, as with `useradd --system`: npm, pip and the like
 * keep files there, and fail without.
 *
 * @param owner the user that gets it; the agent's own unless given
 */
export async function makeHome({ home }: Layout, owner: Owner | undefined, files: Files): Promise<void> {
  if ((await files.kindOf(home)) === "absent") await files.makeDirectory(home, 0o700);
  const made = await files.look(home);
  // Anything else there is somebody's own arrangement; a home of another user is given away together with the service's
  // files.
  if (owner !== undefined && made?.kind === "directory" && made.uid === ROOT_UID) await files.giveTo(home, owner);
}
