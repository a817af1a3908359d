import { isZooKeeperError } from "../errors.ts";

/** The default for errors that nobody awaits, unless a client has its own handler. */
export function warn(error: unknown): void {
  if (isZooKeeperError(error)) process.emitWarning(error.message);
  else process.emitWarning(`A ZooKeeper listener failed: ${error instanceof Error ? error.stack : String(error)}`);
}

/**
 * Tells a listener something in a microtask of its own: what it throws goes only to `report`, and it may call the client
 * again without finding it in the middle of a packet.
 */
export function isolate<T>(listener: (told: T) => unknown, told: T, report: (error: unknown) => void = warn): void {
  queueMicrotask(() => {
    try {
      const result = listener(told);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  });
}
