import { DeployError } from "../core/errors.ts";

/**
 * The command line that starts this same program: the compiled binary alone, or the runtime with its script if it runs
 * from a checkout.
 */
export function selfCommand(): string[] {
  const script = process.argv[1];
  // In a compiled binary the script's path is in the binary's embedded file system.
  if (script === undefined || script.startsWith("/$bunfs/")) return [process.execPath];
  if (!script.endsWith(".ts")) {
    throw new DeployError(`Cannot tell how to start deployd again from "${script}".`, {
      code: "internal",
      hint: "Run the compiled binary, dist/deployd.",
    });
  }
  return [process.execPath, script];
}

/** Quotes words for a shell command. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
