import { deploydBinary } from "./binary.ts";
import { eventually } from "./eventually.ts";

/** A shell on a pseudoterminal, as a person has it, and everything that the terminal was sent. */
export class Pty implements AsyncDisposable {
  readonly #terminal: Bun.Terminal;
  readonly #shell: Bun.Subprocess;
  #sent = "";

  private constructor(env: Readonly<Record<string, string>>, columns: number, rows: number) {
    const decoder = new TextDecoder();
    this.#terminal = new Bun.Terminal({
      cols: columns,
      rows,
      name: env["TERM"] ?? "xterm-256color",
      data: (_terminal, data) => {
        this.#sent += decoder.decode(data, { stream: true });
      },
    });
    this.#shell = Bun.spawn(["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"], {
      terminal: this.#terminal,
      env: { PATH: process.env["PATH"] ?? "", TERM: "xterm-256color", PS1: "$ ", LANG: "C.UTF-8", ...env },
    });
  }

  static async open(env: Readonly<Record<string, string>>, columns = 100, rows = 30): Promise<Pty> {
    const pty = new Pty(env, columns, rows);
    await pty.until("$ ");
    return pty;
  }

  get sent(): string {
    return this.#sent;
  }

  /** A mark from which what comes later can be told. */
  get mark(): number {
    return this.#sent.length;
  }

  type(keys: string): void {
    this.#terminal.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
  }

  /** Waits until the terminal was sent this, after the mark. */
  async until(text: string | RegExp, from = 0): Promise<string> {
    return eventually(async () => {
      const since = this.#sent.slice(from);
      const isThere = typeof text === "string" ? since.includes(text) : text.test(since);
      return isThere ? since : null;
    });
  }

  /** Types a line, and returns what it prints until the next prompt. */
  async command(line: string): Promise<string> {
    const from = this.mark;
    this.type(`${line}; echo "[$?] over"\r`);
    const said = await this.until(/\[\d+\] over\r\n/, from);
    await this.until("$ ", from + said.length - 2);
    return said;
  }

  /** How the terminal is: what stty says, and which of the modes that programs set are on. */
  async state(): Promise<{ readonly stty: string; readonly modes: readonly string[] }> {
    const said = await this.command("stty -g");
    const stty = /[0-9a-f]+(?::[0-9a-f]+)+/.exec(said)?.[0] ?? "";
    const modes = new Map<string, boolean>();
    for (const [, numbers = "", final] of this.#sent.matchAll(/\u001b\[\?([0-9;]+)([hl])/g))
      for (const number of numbers.split(";")) modes.set(number, final === "h");
    // The shell's own, while it reads a line.
    modes.delete("2004");
    // The cursor is shown unless it is hidden.
    const isHidden = modes.get("25") === false;
    modes.delete("25");
    return {
      stty,
      modes: [...[...modes].flatMap(([mode, isOn]) => (isOn ? [mode] : [])), ...(isHidden ? ["cursor hidden"] : [])],
    };
  }

  /** The pid of deployd, which the shell has started. */
  async deployd(): Promise<number> {
    return eventually(async () => {
      const { pid } = this.#shell;
      const children = await Bun.file(`/proc/${pid}/task/${pid}/children`).text();
      for (const child of children.trim().split(" ")) {
        const name = await Bun.file(`/proc/${child}/comm`)
          .text()
          .catch(() => "");
        if (name.trim() === "deployd") return Number(child);
      }
      return null;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.kill("SIGKILL");
    await this.#shell.exited;
    this.#terminal.close();
  }
}

/** The binary with its arguments, for a shell. */
export async function deploydLine(...words: readonly string[]): Promise<string> {
  return [await deploydBinary(), ...words].join(" ");
}
