/**
 * Sends a signal to a whole process group (kill(2)); 0 only checks whether it exists.
 *
 * @returns false if the group has no processes any more
 */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
