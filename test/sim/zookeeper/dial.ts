import {
  addressName,
  type ServerAddress,
  LinkError,
  type Dial,
  type DialOptions,
  type LinkEvents,
} from "../../../src/zookeeper/dial.ts";
import type { Network } from "../network.ts";
import type { Sockets } from "../sockets.ts";
import type { End } from "../stream.ts";
import { HookedWire, type RequestHooks } from "./hooked_wire.ts";

/** How one process reaches servers over the network of a rehearsal. Addresses are dialled there, never names. */
export function simulatedDial(network: Network, sockets: Sockets, hooks: RequestHooks = {}): Dial {
  return async (address, options, events) => {
    if (hooks.onRequest === undefined && hooks.onSent === undefined) {
      return await connect(network, sockets, address, options, events);
    }
    const wire = new HookedWire(sockets, hooks, events);
    const hooked: LinkEvents = {
      data: (chunk) => events.data(chunk),
      drain: () => wire.drained(),
      ended: (failure) => events.ended(failure),
    };
    wire.use(await connect(network, sockets, address, options, hooked));
    return wire;
  };
}

function connect(
  network: Network,
  sockets: Sockets,
  address: ServerAddress,
  { timeoutMs, signal }: DialOptions,
  events: LinkEvents,
): Promise<End> {
  const name = addressName(address);
  const { promise, resolve, reject } = Promise.withResolvers<End>();
  let stage: "dialling" | "open" | "over" = "dialling";
  const settled = (next: "open" | "over"): void => {
    stage = next;
    cancel();
    signal.removeEventListener("abort", onAbort);
  };
  const failed = (why: string): void => {
    if (stage !== "dialling") return;
    settled("over");
    reject(new LinkError({ kind: "lost", reason: `cannot connect to ${name}: ${why}` }));
  };
  const onAbort = (): void => failed("closed");
  const late = (): void => failed(`no answer within ${timeoutMs} ms`);
  const cancel = network.time.after(timeoutMs, () => sockets.deliver(late));
  signal.addEventListener("abort", onAbort, { once: true });
  const server = network.nameOf(address.ip);
  if (signal.aborted) onAbort();
  else if (server === undefined) failed("no route to host");
  else {
    sockets.connect(server, address.server.port, {
      failed,
      opened: (end) => {
        if (stage !== "dialling") {
          end.terminate();
          return;
        }
        settled("open");
        resolve(end);
      },
      data: (chunk) => events.data(chunk),
      drain: () => events.drain(),
      closed: (why) => {
        if (stage === "dialling") failed(why);
        else events.ended({ kind: "lost", reason: `${name}: ${why}` });
      },
    });
  }
  return promise;
}
