import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { tempDir } from "./tempdir.ts";

export interface PrometheusOptions {
  /** The text of a rules file. */
  readonly rules: string;
  /** Of the agents' status ports, as host:port. */
  readonly targets: readonly string[];
}

/** An alert that fires, by its labels. */
export type Alert = Readonly<Record<string, string>> & { readonly alertname: string };

/** Prometheus itself as Debian packages it, which looks four times a second. */
export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #end: () => Promise<void>;

  private constructor(url: string, end: () => Promise<void>) {
    this.#url = url;
    this.#end = end;
  }

  static async start({ rules, targets }: PrometheusOptions): Promise<Prometheus> {
    const directory = await tempDir();
    const port = await freePort();
    const every = "250ms";
    const config = {
      global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
      rule_files: ["rules.yml"],
      scrape_configs: [{ job_name: "deployd", static_configs: [{ targets }] }],
    };
    await writeFile(join(directory.path, "rules.yml"), rules);
    // Every JSON is YAML.
    await writeFile(join(directory.path, "prometheus.yml"), JSON.stringify(config));
    const child = Bun.spawn(
      [
        "prometheus",
        `--config.file=${join(directory.path, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(directory.path, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdin: "ignore", stdout: "ignore", stderr: Bun.file(join(directory.path, "log")) },
    );
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, async () => {
      child.kill("SIGKILL");
      await child.exited;
      await directory[Symbol.asyncDispose]();
    });
    try {
      await eventually(async () => (await fetch(`${prometheus.#url}/-/ready`)).ok);
    } catch (error) {
      const log = await Bun.file(join(directory.path, "log")).text();
      await prometheus[Symbol.asyncDispose]();
      throw new Error(`Prometheus did not start: ${log.slice(-1_000)}`, { cause: error });
    }
    return prometheus;
  }

  /** The alerts that fire now. */
  async firing(): Promise<Alert[]> {
    const answer = await fetch(`${this.#url}/api/v1/alerts`);
    const { data } = (await answer.json()) as { data: { alerts: { labels: Alert; state: string }[] } };
    return data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels);
  }

  /** The values of an expression. */
  async query(expression: string): Promise<number[]> {
    const answer = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    return data.result.map(({ value }) => Number(value[1]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
