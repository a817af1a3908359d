import type { DeployError } from "../core/errors.ts";
import { isDamaged } from "./records.ts";

/**
 * Records of one kind: those that can be read, and what is wrong with the others. One damaged record must neither hide
 * the others from its reader nor be mistaken for a missing one.
 */
export class RecordsByName<T> {
  readonly whole = new Map<string, T>();
  readonly damaged = new Map<string, DeployError>();

  /** @param decode returns null where there is no such record */
  put(name: string, decode: () => T | null): void {
    try {
      const value = decode();
      this.damaged.delete(name);
      if (value === null) this.whole.delete(name);
      else this.whole.set(name, value);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.whole.delete(name);
      this.damaged.set(name, error);
    }
  }

  has(name: string): boolean {
    return this.whole.has(name) || this.damaged.has(name);
  }

  forgetAllBut(names: Iterable<string>): void {
    const known = new Set(names);
    for (const map of [this.whole, this.damaged]) for (const name of map.keys()) if (!known.has(name)) map.delete(name);
  }
}
