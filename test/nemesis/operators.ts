import { deploydBinary } from "../harness/binary.ts";
import type { CtlRun } from "../sim/fleet/operator.ts";
import { SERVICE, type Scene } from "./scene.ts";

/** How long an operator follows a deploy before the next whim. */
const PATIENCE_S = 12;

/** Two of them at once give orders that contradict each other. */
export class Operator {
  readonly runs: CtlRun[] = [];
  readonly #name: string;
  readonly #scene: Scene;
  readonly #random: () => number;

  constructor(name: string, scene: Scene, random: () => number) {
    this.#name = name;
    this.#scene = scene;
    this.#random = random;
  }

  async work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#oneOrder();
      await Bun.sleep(this.#random() * 1_500);
    }
  }

  /** Runs a verb to its end; @param killedMs after so long it is killed. */
  async run(words: readonly string[], killedMs: number | null = null): Promise<number | null> {
    const { fleet, chronicle } = this.#scene;
    const line = `${this.#name}: ctl ${words.join(" ")}`;
    chronicle.tell(line);
    const child = Bun.spawn([await deploydBinary(), "ctl", ...words], {
      cwd: fleet.dir,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: fleet.dir,
        USER: this.#name,
        DEPLOYD_ZOOKEEPER: fleet.zookeeper,
        DEPLOYD_CHROOT: fleet.chroot,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), killedMs ?? 100_000);
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    clearTimeout(timer);
    const code = child.signalCode === null ? child.exitCode : null;
    const said = `${out}${err}`;
    chronicle.tell(`${line} ended with ${code ?? "SIGKILL"}: ${said.trim().split("\n").at(-1)?.slice(0, 200)}`);
    if (code === null && killedMs === null) throw new Error(`"${words.join(" ")}" has not ended: ${said}`);
    if (code !== null) this.runs.push({ words, code, said });
    return code;
  }

  async #oneOrder(): Promise<void> {
    const { good, sick, killing } = this.#scene;
    const whim = this.#random();
    const follow = ["--timeout-s", String(PATIENCE_S)];
    if (whim < 0.4) return this.#deploy(this.#any(good), follow);
    if (whim < 0.5) return this.#deploy(this.#any(good), ["--stages", "40%,100%", ...follow]);
    if (whim < 0.6) return this.#deploy(this.#any(sick), follow);
    if (whim < 0.72) return this.#deploy(this.#any(killing), follow);
    if (whim < 0.82) return void (await this.run(["rollback", SERVICE, ...follow]));
    if (whim < 0.86) return void (await this.run(["abort", SERVICE]));
    if (whim < 0.9) return void (await this.run(["retry", SERVICE, "--detach"]));
    if (whim < 0.94) {
      await this.run(["pause", SERVICE]);
      return void (await this.run(["resume", SERVICE, "--detach"]));
    }
    await this.run(["wait", SERVICE, ...follow]);
  }

  async #deploy(build: string, follow: readonly string[]): Promise<void> {
    await this.run(["builds", "unbar", SERVICE, build]);
    const urgent = this.#random() < 0.5 ? ["--urgent"] : [];
    const killedMs = this.#random() < 0.2 ? this.#random() * 2_000 : null;
    await this.run(["deploy", SERVICE, build, ...urgent, ...follow], killedMs);
  }

  #any(items: readonly string[]): string {
    return items[Math.floor(this.#random() * items.length)] ?? "";
  }
}
