import { importsOf, type Source } from "./sources.ts";

/**
 * The files that import one another, each group once and sorted. An `import type` counts: whoever reads one of the files
 * has to read all of them.
 */
export function importCircles(sources: readonly Source[]): string[][] {
  const importsByFile = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source).flatMap(({ target }) => (target === null ? [] : [target])),
    ]),
  );
  // Two files are of one circle when each can be reached from the other.
  const reach = new Map([...importsByFile.keys()].map((path) => [path, reachedFrom(path, importsByFile)]));
  const circles: string[][] = [];
  const done = new Set<string>();
  for (const path of [...importsByFile.keys()].toSorted()) {
    const reached = reach.get(path);
    if (done.has(path) || reached?.has(path) !== true) continue;
    const circle = [...reached].filter((other) => reach.get(other)?.has(path) === true).toSorted();
    for (const each of circle) done.add(each);
    circles.push(circle);
  }
  return circles;
}

/** What `start` imports, directly or not; itself only when it stands in a circle. */
function reachedFrom(start: string, importsByFile: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const waiting = [...(importsByFile.get(start) ?? [])];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(importsByFile.get(path) ?? []));
  }
  return reached;
}
