import { systemLookup } from "../connection/address_book.ts";
import { checkTlsOptions, tcpDial } from "../dial.ts";
import { ZooKeeperError } from "../errors.ts";
import { parseConnectString } from "../connect_string.ts";
import { isolate, warn } from "./isolate.ts";
import type { ZooKeeperOptions } from "../options.ts";
import { Chroot, pathProblem } from "../wire/node_paths.ts";
import type { AnswerListener, Call } from "./pending.ts";
import type { At, Request } from "../wire/requests.ts";
import { isTerminal, sessionOver, type SessionState } from "../state.ts";
import { Transport } from "./transport.ts";
import { WatchRegistry, type WatchHandler } from "./watches.ts";
import { ExpectedWatch, type LeftWatch } from "./expected_watch.ts";

/** What every operation of a client needs: the session, the watches, the chroot. */
export class ClientCore {
  readonly chroot: Chroot;
  readonly watches: WatchRegistry;
  readonly transport: Transport;
  readonly #options: ZooKeeperOptions;
  readonly #listeners = new Set<(state: SessionState) => void>();

  /** @throws TypeError if an option is invalid */
  constructor(options: ZooKeeperOptions) {
    const { servers, chroot } = parseConnectString(options.servers);
    for (const option of ["sessionTimeoutMs", "connectTimeoutMs", "operationTimeoutMs"] as const) {
      const ms = options[option] ?? 1;
      if (!(ms > 0 && ms < 2 ** 31)) throw new TypeError(`The option ${option} cannot be ${ms} milliseconds.`);
    }
    const sessionTimeoutMs = Math.ceil(options.sessionTimeoutMs ?? 10_000);
    if (options.tls !== undefined) checkTlsOptions(options.tls);
    this.#options = options;
    this.chroot = new Chroot(chroot);
    this.watches = new WatchRegistry((handler, type, serverPath) => {
      const event = { type, path: this.chroot.toClient(serverPath) };
      isolate(handler, event, options.onError);
    });
    this.transport = new Transport({
      servers,
      sessionTimeoutMs,
      connectTimeoutMs: options.connectTimeoutMs ?? Math.max(200, sessionTimeoutMs / Math.max(3, servers.length)),
      auth: options.auth ?? [],
      sasl: options.sasl,
      tls: options.tls,
      readOnly: options.readOnly ?? false,
      afterLoss: options.afterLoss ?? false,
      lookup: options.lookup ?? systemLookup,
      clock: options.clock,
      dial: options.dial ?? tcpDial(options.clock),
      onState: (state) => this.#onTransportState(state),
      watches: this.watches,
      onTrouble: (error) => isolate(options.onError ?? warn, error, options.onError),
    });
  }

  get state(): SessionState {
    return this.transport.state;
  }

  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async connected(signal: AbortSignal | undefined): Promise<void> {
    const done = Promise.withResolvers<void>();
    const look = (state: SessionState): void => {
      if (state.kind === "connected") done.resolve();
      else if (isTerminal(state)) done.reject(sessionOver(state, "connect"));
    };
    const aborted = (): void => {
      const { state } = this;
      const detail = "reason" in state ? state.reason : undefined;
      const cause = signal?.reason;
      done.reject(new ZooKeeperError({ code: "ABORTED", operation: "connect", outcome: "not-sent", detail, cause }));
    };
    const stop = this.onState(look);
    signal?.addEventListener("abort", aborted, { once: true });
    try {
      look(this.state);
      if (signal?.aborted === true) aborted();
      await done.promise;
    } finally {
      stop();
      signal?.removeEventListener("abort", aborted);
    }
  }

  /** @throws ZooKeeperError BAD_ARGUMENTS if `path` is not a valid path */
  at(operation: string, path: string, sequential = false): At {
    const detail = pathProblem(path, sequential);
    if (detail !== undefined) {
      throw new ZooKeeperError({ code: "BAD_ARGUMENTS", operation, path, outcome: "not-sent", detail });
    }
    return { path, onServer: this.chroot.toServer(path) };
  }

  /** @throws ZooKeeperError as `Transport.submit` */
  submit<T>(request: Request<T>, call: Call, listener?: AnswerListener): Promise<T> {
    const { operationTimeoutMs } = this.#options;
    const limited = call.timeoutMs === undefined && operationTimeoutMs !== undefined;
    return this.transport.submit(request, limited ? { ...call, timeoutMs: operationTimeoutMs } : call, listener);
  }

  /**
   * Submits a request that leaves a watch. The handler is registered when the answer arrives, before any later event.
   * @throws ZooKeeperError as `Transport.submit`
   */
  submitWatching<T>(
    request: Request<T>,
    at: At,
    watch: WatchHandler | undefined,
    leaves: LeftWatch,
    call: Call,
  ): Promise<T> {
    if (watch === undefined) return this.submit(request, call);
    const answered = this.submit(request, call, new ExpectedWatch(this.watches, at.onServer, watch, leaves));
    this.watches.expect(at.onServer);
    return answered;
  }

  #onTransportState(state: SessionState): void {
    if (isTerminal(state)) this.watches.lost();
    for (const listener of this.#listeners) isolate(listener, state, this.#options.onError);
  }
}
