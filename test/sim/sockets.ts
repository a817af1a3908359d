import type { Machine, Network } from "./network.ts";
import { Stream, type Accept, type ConnectEvents, type End } from "./stream.ts";

/** The sockets of one process, which live as long as it does. */
export class Sockets {
  readonly machine: Machine;
  readonly #network: Network;
  readonly #ends = new Set<End>();
  #state: "runs" | "frozen" | "gone" = "runs";
  /** What has happened while the process was stopped. */
  #missed: (() => void)[] = [];

  constructor(network: Network, machine: Machine) {
    this.#network = network;
    this.machine = machine;
    machine.processes.add(this);
  }

  listen(port: number, accept: Accept): void {
    this.machine.listeners.set(port, { sockets: this, accept });
  }

  /** Connects; exactly one of `opened` and `failed` follows, or neither when nobody answers. */
  connect(to: string, port: number, events: ConnectEvents): void {
    const network = this.#network;
    const server = network.machine(to);
    const [there, back] = [network.link(this.machine, server), network.link(server, this.machine)];
    const refused = (reason: string): void => {
      if (back.state === "black-holed" || !server.on) return;
      network.time.after(network.delayOf(back), () => this.deliver(() => events.failed(reason)));
    };
    network.time.after(network.delayOf(there), () => {
      if (there.state === "cut" || back.state === "cut") {
        this.deliver(() => events.failed("the connection was reset"));
        return;
      }
      if (there.state === "black-holed" || !server.on || !this.machine.on) return;
      const listener = server.listeners.get(port);
      if (listener === undefined) {
        refused("connection refused");
        return;
      }
      const stream = new Stream(network, this, listener.sockets, events);
      // The kernel takes a connection even when the process does not come to it.
      listener.sockets.deliver(() => stream.accepted(listener.accept));
      network.time.after(network.delayOf(back), () => {
        if (back.state === "open") this.deliver(() => stream.opened());
      });
    });
  }

  /** The process is stopped: what happens waits for it. */
  freeze(): void {
    if (this.#state === "runs") this.#state = "frozen";
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "runs";
    const missed = this.#missed;
    this.#missed = [];
    for (const work of missed) this.deliver(work);
  }

  /** The process has ended: the kernel closes its connections, and its peers are told. */
  close(): void {
    for (const end of this.#ends) end.terminate();
    this.vanish();
  }

  /** The process is gone and nobody is told. */
  vanish(): void {
    this.#state = "gone";
    this.#missed = [];
    for (const end of this.#ends) end.abandon();
    this.#ends.clear();
    this.machine.processes.delete(this);
    for (const [port, { sockets }] of this.machine.listeners) {
      if (sockets === this) this.machine.listeners.delete(port);
    }
  }

  /** Lets the process hear of something, if it still can. */
  deliver(work: () => void): void {
    if (this.#state === "runs") work();
    else if (this.#state === "frozen") this.#missed.push(work);
  }

  holds(end: End): void {
    this.#ends.add(end);
  }

  forget(end: End): void {
    this.#ends.delete(end);
  }
}
