import { isDeployError } from "../core/errors.ts";
import { abort, promote, type Change, type Changed } from "../store/change_deploy.ts";
import { rollBack } from "../store/roll_back.ts";
import { pauseDeploy, resumeDeploy, retryDeploy } from "../store/stop_and_go.ts";
import { Bell } from "../support/bell.ts";
import { every } from "../support/clock.ts";
import type { OpenTerminal, Terminal } from "../support/terminal.ts";
import { span, type SpanLine } from "../view/spans.ts";
import { oneLine } from "../view/words.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { keysIn } from "../monitor/keys.ts";
import { newModel, type MonitorAct, type Model } from "../monitor/model.ts";
import { screen } from "../monitor/screen.ts";
import { update, type Effect, type Message } from "../monitor/update.ts";
import { changeNewest } from "./change.ts";
import { LastingConnection } from "../watch/lasting_connection.ts";
import { ServiceNews, monitored } from "../watch/news.ts";
import { MonitorScreen } from "./monitor_screen.ts";
import { readings } from "../watch/readings.ts";
import type { Ctl } from "./verb.ts";

/** Ages are counted on in steps of this. */
const TICK_MS = 1_000;
/** At most so often is drawn what nobody has asked for: ten frames a second. */
const FRAME_MS = 100;
/** An escape that nothing has followed within this time is the key of that name, also over a slow line. */
const ESCAPE_MS = 300;

const CHANGES: Readonly<Record<MonitorAct, (zk: ZooKeeper, change: Change) => Promise<Changed>>> = {
  pause: pauseDeploy,
  resume: resumeDeploy,
  promote,
  rollback: rollBack,
  abort,
  retry: retryDeploy,
};

/** Shows a service, or all, on a terminal until somebody quits. */
export async function monitorOn(terminal: Terminal, ctl: Ctl, service: string | undefined): Promise<void> {
  const quitting = new AbortController();
  const signal = AbortSignal.any([ctl.signal, quitting.signal]);
  await using connection = new LastingConnection(ctl.connect, signal, ctl.process.clock);
  // Where there is nothing to show yet, the reason is told in the terminal as it is.
  await connection.client();
  const monitor = new Monitor(terminal, ctl, connection, service, quitting);
  try {
    await monitor.run(signal);
  } finally {
    monitor.close();
  }
}

class Monitor {
  readonly #ctl: Ctl;
  readonly #connection: LastingConnection;
  readonly #service: string | undefined;
  readonly #quitting: AbortController;
  readonly #terminal: Terminal;
  readonly #opened: OpenTerminal;
  readonly #screen: MonitorScreen;
  readonly #bell: Bell;
  #model: Model;
  #messages: Message[] = [];
  #typed = "";
  /** What was typed last is still waited for. */
  #escapeAtMs: number | null = null;
  /** Somebody has pressed a key, or the screen is another: it is drawn at once. */
  #isAsked = true;
  /** The terminal is somebody else's until this process goes on. */
  #isAway = false;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #failure: Error | null = null;

  constructor(
    terminal: Terminal,
    ctl: Ctl,
    connection: LastingConnection,
    service: string | undefined,
    quitting: AbortController,
  ) {
    this.#ctl = ctl;
    this.#connection = connection;
    this.#service = service;
    this.#quitting = quitting;
    this.#terminal = terminal;
    this.#screen = new MonitorScreen(ctl.output);
    this.#bell = new Bell(ctl.process.clock);
    this.#model = newModel(service ?? null, terminal.size(), this.#nowMs);
    this.#opened = terminal.open({
      typed: (text) => this.#guarded(() => this.#onTyped(text)),
      resized: () => this.#guarded(() => this.#onResized()),
      leaving: () => {
        this.#isAway = true;
        this.#screen.leave();
      },
      back: () => {
        this.#isAway = false;
        this.#onResized();
      },
    });
  }

  get #nowMs(): number {
    return this.#ctl.process.now().getTime();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ctl.process;
    const stop = every(clock, TICK_MS, () => this.#tell({ kind: "tick", nowMs: this.#nowMs }));
    const reading = this.#read(signal);
    try {
      while (!signal.aborted && this.#failure === null) {
        for (const message of this.#messages.splice(0)) this.#take(message);
        if (this.#isAsked || clock.monotonicMs() - this.#drawnAtMs >= FRAME_MS) this.#draw();
        else {
          await this.#bell.wait(FRAME_MS - (clock.monotonicMs() - this.#drawnAtMs), signal);
          if (this.#isAsked || this.#messages.length > 0) continue;
          this.#draw();
        }
        await this.#bell.wait(this.#escapeAtMs === null ? TICK_MS : ESCAPE_MS, signal);
        this.#takeEscape();
      }
    } finally {
      stop();
      this.#quitting.abort();
      await reading;
    }
    if (this.#failure !== null) throw this.#failure;
  }

  close(): void {
    this.#screen.leave();
    this.#opened.close();
  }

  /** What goes wrong where nobody waits for it ends the monitor like anything else, once the terminal is as it was. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#bell.ring();
  }

  #draw(): void {
    this.#isAsked = false;
    this.#drawnAtMs = this.#ctl.process.clock.monotonicMs();
    if (!this.#isAway) this.#screen.draw(screen(this.#model));
  }

  #tell(message: Message): void {
    this.#messages.push(message);
    this.#bell.ring();
  }

  #take(message: Message): void {
    const { model, effects } = update(this.#model, message);
    this.#model = model;
    if (message.kind === "key" || message.kind === "resized" || message.kind === "acted") this.#isAsked = true;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    switch (effect.kind) {
      case "quit":
        this.#quitting.abort();
        return;
      case "suspend":
        this.#opened.suspend();
        return;
      case "redraw":
        this.#onResized();
        return;
      case "act":
        void this.#act(effect);
    }
  }

  async #act({ act, service, build, deploy }: Extract<Effect, { kind: "act" }>): Promise<void> {
    const flags = { deploy, why: "" };
    try {
      const { record } = await changeNewest(this.#ctl, this.#connection, service, build, flags, CHANGES[act]);
      this.#tell({
        kind: "acted",
        line: [span(`The deploy of ${record.build} to ${service} is ${record.state}.`, "good")],
      });
    } catch (error) {
      this.#tell({ kind: "acted", line: refusal(error) });
    }
  }

  #onTyped(text: string): void {
    const { keys, rest } = keysIn(this.#typed + text, false);
    this.#typed = rest;
    this.#escapeAtMs = rest === "" ? null : this.#ctl.process.clock.monotonicMs();
    for (const key of keys) this.#tell({ kind: "key", key });
    if (rest !== "") this.#bell.ring();
  }

  #takeEscape(): void {
    const { clock } = this.#ctl.process;
    if (this.#escapeAtMs === null || clock.monotonicMs() - this.#escapeAtMs < ESCAPE_MS) return;
    this.#escapeAtMs = null;
    const { keys } = keysIn(this.#typed, true);
    this.#typed = "";
    for (const key of keys) this.#tell({ kind: "key", key });
  }

  #onResized(): void {
    this.#screen.forget();
    this.#tell({ kind: "resized", ...this.#terminal.size() });
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { process } = this.#ctl;
    const news = new ServiceNews();
    try {
      for await (const reading of readings(this.#connection, monitored(this.#service), signal)) {
        const nowMs = this.#nowMs;
        if (reading.kind === "read")
          this.#tell({ kind: "read", services: reading.value, nowMs, ...news.see(reading.value, process.now()) });
        if (reading.kind === "stale") this.#tell({ kind: "away", reason: oneLine(reading.reason), nowMs });
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#failed(error);
    }
  }
}

function refusal(error: unknown): SpanLine {
  if (!isDeployError(error)) return [span(oneLine(String(error)), "bad")];
  return [span(oneLine(error.message), "bad"), span(error.hint === "" ? "" : ` ${oneLine(error.hint)}`)];
}
