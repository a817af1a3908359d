import { DeployError } from "../core/errors.ts";

/** What `deployd pack` excludes, and what it has excluded so far. */
export class Exclusion {
  readonly #patterns: readonly { readonly text: string; readonly glob: Bun.Glob; readonly wholePath: boolean }[];
  readonly #takesGit: boolean;
  readonly #used = new Set<string>();
  #gitLeftOut = 0;

  /**
   * @param patterns shell patterns. One without a slash matches a name, wherever it is; one with a slash matches a path
   *   from the top of the directory.
   * @throws DeployError `usage`
   */
  constructor(patterns: readonly string[], takesGit: boolean) {
    this.#takesGit = takesGit;
    this.#patterns = patterns.map((text) => {
      const path = text.replace(/^\.?\/+/, "").replace(/\/+$/, "");
      // To the matcher "!" means everything except the pattern, which is not what anybody wants to exclude.
      if (path === "" || path.startsWith("!")) {
        throw new DeployError(`Cannot pack: --exclude "${text}" names nothing that could be excluded.`, {
          code: "usage",
          hint: "Give a name as in --exclude node_modules, or a path from the top as in --exclude 'docs/*.pdf'.",
        });
      }
      return { text, glob: new Bun.Glob(path), wholePath: /\/./.test(text) };
    });
  }

  leavesOut(path: string): boolean {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name === ".git" && !this.#takesGit) {
      this.#gitLeftOut += 1;
      return true;
    }
    const found = this.#patterns.filter(({ glob, wholePath }) => glob.match(wholePath ? path : name));
    for (const { text } of found) this.#used.add(text);
    return found.length > 0;
  }

  /** Notes on exclusions that may be unintended. */
  notes(): string[] {
    const idle = this.#patterns.filter(({ text }) => !this.#used.has(text));
    return [
      ...(this.#gitLeftOut === 0 ? [] : [".git is left out (--include-git includes it)"]),
      ...idle.map(({ text }) => `--exclude "${text}" matches nothing in it`),
    ];
  }
}
