/*
 * Text of others made safe to be looked at: names, records and messages from ZooKeeper, an archive, a server, a command.
 * What all of deployd takes for unprintable is said here alone.
 */

/**
 * Controls (7 and 8 bits wide), what is shown as nothing, what reorders or ends a line, halves of characters and what no
 * font knows: by which text could forge or hide a part of what stands around it. Variation selectors only choose a form.
 */
const UNPRINTABLE = /[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\ufe00-\ufe0f]]/gv;

/** Longer names and texts say nothing more to people. */
const MAX_LENGTH = 240;

/** Foreign text (a name from an archive, a URL) in a form that is safe in a terminal, a log and one line of a status. */
export function printable(text: string): string {
  const safe = escaped(text);
  return safe.length <= MAX_LENGTH ? safe : `${safe.slice(0, MAX_LENGTH)}…`;
}

/** Every unprintable character by its number, as in `\x1b` or `\u202e`. */
export function escaped(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code > 0xffff) return `\\u{${code.toString(16)}}`;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/** JSON text that means the same and is safe in a terminal; line ends between its documents stay. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => {
    if (character === "\n") return character;
    return character
      .split("")
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join("");
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
