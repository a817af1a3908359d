import { join, posix } from "node:path";

/** One source file; `path` is relative to src/, with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** Relative to src/ where it names a file of ours, else null. */
  readonly target: string | null;
}

export async function readSources(): Promise<Source[]> {
  const root = join(import.meta.dir, "../../src");
  const paths = [...new Bun.Glob("**/*.{ts,tsx}").scanSync(root)].toSorted();
  return Promise.all(paths.map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })));
}

/** The text without comments, so that prose about an import is not one. Strings that hold `//` lose their end; none imports. */
export function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1");
}

/** Imports, `import type`, re-exports and import(): Bun.Transpiler.scanImports leaves the types out. */
export function importsOf({ path, text }: Source): Import[] {
  const patterns = [
    /\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\b(?:import|require)\s*\(\s*["'`]([^"'`]+)["'`]/g,
  ];
  const code = codeOf(text);
  const specifiers = patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ""));
  return specifiers.map((specifier) => ({
    specifier,
    target: specifier.startsWith(".") ? posix.normalize(posix.join(posix.dirname(path), specifier)) : null,
  }));
}
