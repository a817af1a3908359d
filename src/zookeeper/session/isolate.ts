import { isZooKeeperError } from "../errors.ts";

/** Where errors go that nobody awaits, unless a client was told otherwise. */
export function warn(error: unknown): void {
  if (isZooKeeperError(error)) process.emitWarning(error.message);
  else process.emitWarning(`A ZooKeeper listener failed: ${error instanceof Error ? error.stack : String(error)}`);
}

/**
 * Runs a listener in a microtask of its own: what it throws reaches `report` and nobody else, and it may call the client
 * again without finding it half-way through a packet.
 */
export function isolate(listener: () => unknown, report: (error: unknown) => void = warn): void {
  queueMicrotask(() => {
    try {
      const result = listener();
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  });
}
