/*
 * Makes foreign text safe to display: names, records and messages from ZooKeeper, an archive, a server, a command. This
 * is the only place that defines what deployd treats as unprintable.
 */

/**
 * Control characters (7 and 8 bits wide), invisible characters, characters that reorder text or end a line, lone
 * surrogates, and code points without a glyph: with these, a text could forge or hide part of its surroundings. Variation
 * selectors only choose a form.
 */
const UNPRINTABLE = /[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\ufe00-\ufe0f]]/gv;

/** Nearly every text is of these alone, and this is found out many times faster. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Longer names and texts are cut at this length, because the rest tells people nothing more. */
const MAX_LENGTH = 240;

/**
 * Foreign text (a name from an archive, a URL) in a form that is safe in a terminal, in a log and in one line of a
 * status.
 */
export function printable(text: string): string {
  const safe = escaped(text);
  return safe.length <= MAX_LENGTH ? safe : `${safe.slice(0, MAX_LENGTH)}…`;
}

/** Replaces every unprintable character by its number, as in `\x1b` or `\u202e`. */
export function escaped(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code > 0xffff) return `\\u{${code.toString(16)}}`;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/** JSON text with the same meaning that is safe in a terminal; line ends between documents stay. */
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
