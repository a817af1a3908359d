import { Counter, Gauge, type Registry } from "prom-client";

/** What is set at each scrape: labels and a value. */
export type SetSample<L extends string> = (labels: Partial<Record<L, string>>, value: number) => void;

/** A gauge that `fill` sets anew at every scrape, so that it has no other series. */
export function gauge<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
  fill: (set: SetSample<L>) => void,
): void {
  const made: Gauge<L> = new Gauge<L>({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      made.reset();
      fill((labels, value) => made.set(labels, value));
    },
  });
}

/** A counter that only mirrors a number counted elsewhere: it is set from zero at each scrape. */
export function total(registry: Registry, name: string, help: string, read: () => number | null): void {
  const made: Counter = new Counter({
    name,
    help,
    registers: [registry],
    collect: () => {
      made.reset();
      made.inc(read() ?? 0);
    },
  });
}
