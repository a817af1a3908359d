import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DeployError, isDeployError } from "../../src/core/errors.ts";

/** A directory of its own for a test, gone when the test is. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "deployd-fetch-"));

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The DeployError that a promise rejects with; fails when it resolves or rejects with anything else. */
export async function deployErrorOf(promise: Promise<unknown>): Promise<DeployError> {
  try {
    await promise;
  } catch (error) {
    if (isDeployError(error)) return error;
    throw error;
  }
  throw new Error("It was expected to fail, and did not.");
}

export function never(): AbortSignal {
  return new AbortController().signal;
}
