import { DeployError } from "../core/errors.ts";

/**
 * The command line that starts this very program: the compiled binary alone, or the runtime with its script when it is
 * run from a checkout.
 */
export function selfCommand(): string[] {
  const script = process.argv[1];
  // In a compiled binary the script lies in the binary's own file system.
  if (script === undefined || script.startsWith("/$bunfs/")) return [process.execPath];
  if (!script.endsWith(".ts")) {
    throw new DeployError(`Cannot tell how to start deployd again from "${script}".`, {
      code: "internal",
      hint: "Run the compiled binary, dist/deployd.",
    });
  }
  return [process.execPath, script];
}

/** For a shell line. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
