/**
 * Sends a signal to a whole process group (kill(2)); 0 asks whether there is one.
 *
 * @returns false when the group has no processes any more
 */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
