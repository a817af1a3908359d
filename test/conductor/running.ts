import { Conductor, type ConductorOptions } from "../../src/conductor/conductor.ts";
import { Notifying, type NotifyingOptions } from "../../src/conductor/notifying.ts";
import { FleetReport } from "../../src/conductor/fleet_report.ts";
import { Troubles } from "../../src/store/troubles.ts";
import { systemClock, type Clock } from "../../src/support/clock.ts";
import { tcpDial, type Dial } from "../../src/zookeeper/dial.ts";
import { Session } from "../../src/zookeeper/session.ts";

export interface Conducting {
  /** The time by ZooKeeper's clock, where it is not this machine's; null where it is not known. */
  readonly serverNowMs?: number | null;
  readonly log?: ConductorOptions["log"];
  readonly dial?: Dial;
  /** Whom it tells what becomes of deploys; nobody unless given. */
  readonly notifying?: Pick<NotifyingOptions, "target" | "post"> &
    Partial<Pick<NotifyingOptions, "onNoticed">> & { readonly clock?: Clock };
}

/** Conducts what is in a tree, until disposed. Who is gone for 200 ms counts as lost. */
export function conductAt(
  connectString: string,
  { log = () => {}, dial = tcpDial(systemClock), serverNowMs = Date.now(), notifying }: Conducting = {},
): { readonly session: Session } & AsyncDisposable {
  const session = new Session({ clock: systemClock, servers: connectString, dial });
  const stop = new AbortController();
  const troubles = new Troubles(log);
  const report = new FleetReport(systemClock);
  report.begin(serverNowMs);
  const telling = new Notifying({
    clock: systemClock,
    session,
    log,
    troubles,
    onNoticed: () => {},
    ...(notifying ?? { target: () => Promise.reject(new Error("nobody is told")), post: never }),
  });
  telling.begin(stop.signal);
  const conductor = new Conductor({
    clock: systemClock,
    session,
    sessionTimeoutMs: 200,
    log,
    troubles,
    report,
    notifying: telling,
  });
  const running = conductor.run(stop.signal);
  return {
    session,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      await telling[Symbol.asyncDispose]();
      await session.close();
    },
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
