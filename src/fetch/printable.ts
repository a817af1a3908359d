const MAX_LENGTH = 240;

// Controls, line separators and the marks that reorder text: what could forge or hide a part of a terminal's output.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Foreign text (a name from an archive, a URL) in a form that is safe in a terminal, a log and one line of a status. */
export function printable(text: string): string {
  const escaped = text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return escaped.length <= MAX_LENGTH ? escaped : `${escaped.slice(0, MAX_LENGTH)}…`;
}
