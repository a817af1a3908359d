import type { z } from "zod";
import { wordingOf } from "./wording.ts";

/** How many problems are listed; of the others only the number is given. The input may have a million. */
const MOST_PROBLEMS = 5;
/** The longest text of one problem, in characters; it may name a key as long as the input. */
const LONGEST_PROBLEM = 400;

/** The result of `parse`: the value, or a sentence for each of the first problems that names the key. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: string[] };

/** Parses `input` by `schema`. For an unknown key, the problem also names the nearest known one. */
export function parse<S extends z.ZodType>(schema: S, input: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(input, { error: wordingOf });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problems: told(result.error.issues, schema) };
}

/** Like `parse`, for JSON text; a text that is not JSON is a problem like any other. */
export function parseJson<S extends z.ZodType>(schema: S, text: string): Parsed<z.output<S>> {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    return { ok: false, problems: [`it is not JSON: ${error instanceof Error ? error.message : String(error)}`] };
  }
  return parse(schema, input);
}

type Issue = z.core.$ZodIssue;

function told(issues: readonly Issue[], schema: z.ZodType): string[] {
  const problems: string[] = [];
  let more = 0;
  for (const issue of issues) {
    const room = MOST_PROBLEMS - problems.length;
    const all = issue.code === "unrecognized_keys" ? issue.keys.length : 1;
    const some = room > 0 ? describe(issue, schema).slice(0, room) : [];
    problems.push(...some.map((problem) => shortened(problem)));
    more += Math.max(0, all - some.length);
  }
  return more === 0 ? problems : [...problems, `and ${more} more`];
}

function shortened(problem: string): string {
  return problem.length <= LONGEST_PROBLEM ? problem : `${problem.slice(0, LONGEST_PROBLEM)}…`;
}

function describe(issue: Issue, schema: z.ZodType): string[] {
  const at = issue.path.map(String).join(".");
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.slice(0, MOST_PROBLEMS).map((key) => {
        const path = at === "" ? key : `${at}.${key}`;
        const near = nearest(key, knownKeys(schema, issue.path));
        return near === undefined ? `unknown key "${path}"` : `unknown key "${path}"; did you mean "${near}"?`;
      });
    case "invalid_union": {
      // The branch that matched furthest is the one that was meant; its problems say more than "invalid input".
      const branches = issue.errors.filter((branch) => branch.length > 0);
      const best = branches.toSorted((a, b) => depth(b) - depth(a))[0];
      if (best === undefined) return [`${at === "" ? "the value" : `"${at}"`}: ${issue.message}`];
      return best.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] }, schema));
    }
    default:
      return [at === "" ? issue.message : `"${at}": ${issue.message}`];
  }
}

function depth(branch: readonly Issue[]): number {
  return Math.max(...branch.map((issue) => issue.path.length + (issue.code === "unrecognized_keys" ? 1 : 0)));
}

/** The keys that exist at `path` in the schema, whatever optional, default and union wrappers are on the way. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const found = new Set<string>();
  const visit = (node: unknown, rest: readonly PropertyKey[]): void => {
    const def = (node as { def?: Record<string, unknown> } | undefined)?.def;
    if (def === undefined) return;
    if (def["type"] === "object") {
      const shape = def["shape"] as Record<string, unknown>;
      const [head, ...tail] = rest;
      if (head === undefined) for (const key of Object.keys(shape)) found.add(key);
      else visit(shape[String(head)], tail);
    } else if (def["type"] === "record") visit(def["valueType"], rest.slice(1));
    else if (def["type"] === "array") visit(def["element"], rest.slice(1));
    else if (def["type"] === "union") for (const option of def["options"] as unknown[]) visit(option, rest);
    else if (def["type"] === "pipe") visit(def["in"], rest);
    else if (def["innerType"] !== undefined) visit(def["innerType"], rest);
  };
  visit(schema, path);
  return [...found];
}

/**
 * The candidate nearest to `word` by edit distance, when it is near enough to be a typing slip.
 *
 * @param most the largest distance between the two
 */
export function nearest(
  word: string,
  candidates: readonly string[],
  most = Math.max(2, Math.floor(word.length / 3)),
): string | undefined {
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best !== undefined && best.distance <= most ? best.candidate : undefined;
}

/** Levenshtein's distance with adjacent transpositions counted as one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
