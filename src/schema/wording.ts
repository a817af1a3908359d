import type { z } from "zod";

/*
 * The messages for values that do not fit, where their schema has none of its own: in the words of a person who writes a
 * file, not in those of the library.
 */

type RawIssue = z.core.$ZodRawIssue;

const NOUNS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a section",
  record: "a section",
};

/** Undefined leaves the message to the library. */
export function wordingOf(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "it is missing";
      return `${nounOf(String(issue["expected"]))} is required, not ${kindOf(issue.input)}`;
    case "too_small":
      return bound(issue, "minimum", "at least", "more than");
    case "too_big":
      return bound(issue, "maximum", "at most", "less than");
    case "invalid_value":
      return `${alternatives(issue["values"])} is required`;
    case "invalid_union":
      // The message for one of the union's keys; the problems of its branches describe everything else that does not fit.
      return Array.isArray(issue["options"]) ? `${alternatives(issue["options"])} is required` : undefined;
    default:
      return undefined;
  }
}

function nounOf(type: string): string {
  return NOUNS[type] ?? type;
}

function kindOf(input: unknown): string {
  if (input === null) return "nothing";
  if (Array.isArray(input)) return "a list";
  return typeof input === "boolean" || typeof input === "number" ? String(input) : nounOf(typeof input);
}

function bound(issue: RawIssue, key: "minimum" | "maximum", inclusive: string, exclusive: string): string {
  const limit = Number(issue[key]);
  const word = issue["inclusive"] === false ? exclusive : inclusive;
  switch (issue["origin"]) {
    case "string":
      return limit === 1 && key === "minimum" ? "it is empty" : `it must have ${word} ${limit} characters`;
    case "array":
    case "set":
    case "map":
      return `it must have ${word} ${limit === 1 ? "one" : limit}`;
    default:
      return `it must be ${word} ${limit}`;
  }
}

function alternatives(values: unknown): string {
  const named = Array.isArray(values) ? values.map((value) => JSON.stringify(value)) : [];
  return named.length === 1 ? String(named[0]) : `one of ${named.join(", ")}`;
}
