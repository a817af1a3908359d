import { isDeployError } from "../core/errors.ts";
import { abort, promote, type Change, type Changed } from "../store/change_deploy.ts";
import { rollBack } from "../store/roll_back.ts";
import { pauseDeploy, resumeDeploy, retryDeploy } from "../store/stop_and_go.ts";
import type { Terminal } from "../support/terminal.ts";
import { span, type SpanLine } from "../view/spans.ts";
import { oneLine } from "../view/words.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { newModel, type MonitorAct, type Model } from "../monitor/model.ts";
import { screen } from "../monitor/screen.ts";
import { update, type Effect, type Message } from "../monitor/update.ts";
import { changeNewest } from "./change_newest.ts";
import { LastingConnection } from "../watch/lasting_connection.ts";
import { ServiceNews, monitored } from "../watch/news.ts";
import { readings } from "../watch/readings.ts";
import { TerminalLoop } from "./terminal_loop.ts";
import type { Ctl } from "./verb.ts";

/** Ages are counted on in steps of this. */
const TICK_MS = 1_000;

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
  readonly #loop: TerminalLoop<Message>;
  #model: Model;

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
    this.#model = newModel(service ?? null, terminal.size(), this.#nowMs);
    this.#loop = new TerminalLoop(terminal, ctl, {
      take: (message: Message) => this.#take(message),
      cells: () => screen(this.#model),
      nowMs: () => this.#nowMs,
      tickMs: TICK_MS,
    });
  }

  get #nowMs(): number {
    return this.#ctl.process.now().getTime();
  }

  async run(signal: AbortSignal): Promise<void> {
    const reading = this.#read(signal);
    try {
      await this.#loop.run(signal);
    } finally {
      this.#quitting.abort();
      await reading;
    }
  }

  close(): void {
    this.#loop.close();
  }

  #take(message: Message): boolean {
    const { model, effects } = update(this.#model, message);
    this.#model = model;
    for (const effect of effects) this.#do(effect);
    return message.kind === "key" || message.kind === "resized" || message.kind === "acted";
  }

  #do(effect: Effect): void {
    switch (effect.kind) {
      case "quit":
        this.#quitting.abort();
        return;
      case "suspend":
        this.#loop.suspend();
        return;
      case "redraw":
        this.#loop.redraw();
        return;
      case "act":
        void this.#act(effect);
    }
  }

  async #act({ act, service, build, deploy }: Extract<Effect, { kind: "act" }>): Promise<void> {
    const flags = { deploy, why: "" };
    try {
      const { record } = await changeNewest(this.#ctl, this.#connection, service, build, flags, CHANGES[act]);
      this.#loop.tell({
        kind: "acted",
        line: [span(`The deploy of ${record.build} to ${service} is ${record.state}.`, "good")],
      });
    } catch (error) {
      this.#loop.tell({ kind: "acted", line: refusal(error) });
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { process } = this.#ctl;
    const news = new ServiceNews();
    try {
      for await (const reading of readings(this.#connection, monitored(this.#service), signal)) {
        const nowMs = this.#nowMs;
        if (reading.kind === "read")
          this.#loop.tell({ kind: "read", services: reading.value, nowMs, ...news.see(reading.value, process.now()) });
        if (reading.kind === "stale") this.#loop.tell({ kind: "away", reason: oneLine(reading.reason), nowMs });
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#loop.failed(error);
    }
  }
}

function refusal(error: unknown): SpanLine {
  if (!isDeployError(error)) return [span(oneLine(String(error)), "bad")];
  return [span(oneLine(error.message), "bad"), span(error.hint === "" ? "" : ` ${oneLine(error.hint)}`)];
}
