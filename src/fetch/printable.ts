import { escaped } from "../support/printable.ts";

const MAX_LENGTH = 240;

/** Foreign text (a name from an archive, a URL) in a form that is safe in a terminal, a log and one line of a status. */
export function printable(text: string): string {
  const safe = escaped(text);
  return safe.length <= MAX_LENGTH ? safe : `${safe.slice(0, MAX_LENGTH)}…`;
}
