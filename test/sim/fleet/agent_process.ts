import { TARGET_KEY, TARGET_URL } from "../host/listener.ts";
import type { AgentLog } from "../../../src/agent/open_service.ts";
import { startAgent } from "../../../src/agent/start.ts";
import { isDeployError } from "../../../src/core/errors.ts";
import type { Chance } from "../chance.ts";
import type { DeathKind, Life } from "../host/life.ts";
import type { SimHost } from "../host/sim_host.ts";
import type { VirtualTime } from "../time.ts";
import type { Story } from "./story.ts";

/** The agent's own file on its host. */
export const AGENT_FILE = "/etc/deployd/agent.toml";

/** How long the service manager waits before it starts an agent again that has ended; in milliseconds. */
const RESTART_MS = { least: 500, most: 3_000 };
/** How long a machine is without power, and how long it then takes to the agent's start. */
const DARK_MS = { least: 2_000, most: 25_000 };
const BOOT_MS = { least: 1_000, most: 6_000 };

export interface AgentProcessOptions {
  readonly host: SimHost;
  /** What the service manager's unit sets for it. */
  readonly env: Readonly<Record<string, string>>;
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly story: Story;
  readonly onDeath: (host: string, how: DeathKind) => void;
  readonly onLog: (host: string, message: string, facts: Record<string, unknown>) => void;
}

/** An agent under its service manager: started at boot, and again whenever it has ended. */
export class AgentProcess {
  readonly host: SimHost;
  readonly #options: AgentProcessOptions;
  /** What it does when it is told to end; null while none lives. */
  #onSignal: (() => void) | null = null;
  /** Nobody starts it, or its machine, any more. */
  isRetired = false;

  constructor(options: AgentProcessOptions) {
    this.#options = options;
    this.host = options.host;
    this.host.onDeath = (how) => this.#died(how);
  }

  start(): void {
    const { host } = this;
    if (this.isRetired || !host.isUp || host.life !== null) return;
    const { env, story } = this.#options;
    const { life, machine } = host.newLife();
    story.tell(host.name, "an agent starts");
    const process = {
      env,
      version: "0.1.0",
      hostName: host.name,
      machine: () => Promise.resolve(machine),
      openLog: () => Promise.resolve(this.#log(life)),
      onSignal: (listener: () => void) => {
        if (!life.isOver) this.#onSignal = listener;
      },
    };
    const output = { lines: (lines: readonly string[]) => story.tell(host.name, lines.join("\n")) };
    startAgent({ config: AGENT_FILE, check: false }, process, output).then(
      () => this.#ended(life, "it was told to"),
      (error: unknown) => this.#ended(life, isDeployError(error) ? error.message : String(error)),
    );
  }

  /** TERM: it finishes what it is doing and ends. */
  terminate(): void {
    this.#options.story.tell(this.host.name, "the agent is told to end");
    const onSignal = this.#onSignal;
    this.host.life?.tell(() => onSignal?.());
  }

  /** Another machine takes its place, as whoever sets machines up makes them. @returns false where there is none to replace */
  reimage(): boolean {
    const { host } = this;
    const file = host.disk.read(AGENT_FILE, true);
    if (this.isRetired || !host.isUp || file === null) return false;
    const secrets = [TARGET_URL, TARGET_KEY].filter(({ path }) => host.disk.read(path, true) !== null);
    host.reimage();
    host.putFile(AGENT_FILE, Buffer.from(file.bytes).toString());
    for (const { path, text } of secrets) host.putFile(path, `${text}\n`, 0o600);
    return true;
  }

  /** The machine goes for good. */
  retire(): void {
    this.isRetired = true;
    this.host.powerCut();
  }

  #log(life: Life): AgentLog {
    const { host, onLog, story } = this.#options;
    return (level, message, facts) => {
      if (life.isOver) return;
      if (level !== "debug") story.tell(host.name, `${level}: ${message}${shown(facts)}`);
      onLog(host.name, message, facts);
    };
  }

  /** By itself: a process whose main function has returned or thrown is gone. */
  #ended(life: Life, why: string): void {
    if (life.isOver) return;
    this.#options.story.tell(this.host.name, `the agent ends: ${why}`);
    this.host.killAgent();
  }

  #died(how: DeathKind): void {
    this.#options.onDeath(this.host.name, how);
    const { time, chance } = this.#options;
    this.#onSignal = null;
    if (this.isRetired) return;
    const pause = ({ least, most }: { least: number; most: number }): number => chance.between(least, most);
    if (how === "kill") {
      time.after(pause(RESTART_MS), () => this.start());
      return;
    }
    time.after(pause(DARK_MS), () => {
      if (this.isRetired) return;
      this.host.powerOn();
      time.after(pause(BOOT_MS), () => this.start());
    });
  }
}

const LONGEST_FACT = 120;

/** What a log line says besides its words, on the same line. */
function shown(facts: Record<string, unknown>): string {
  const words = Object.entries(facts)
    .filter(([name, value]) => name !== "service" && value !== undefined && value !== "")
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return words.length === 0 ? "" : ` (${words.join(", ").slice(0, LONGEST_FACT)})`;
}
