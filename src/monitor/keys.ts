/** A key that was pressed: what it types, or its name. */
export type Key =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind:
        | "up"
        | "down"
        | "left"
        | "right"
        | "page up"
        | "page down"
        | "home"
        | "end"
        | "enter"
        | "backspace"
        | "escape"
        | "tab"
        | "interrupt"
        | "suspend"
        | "redraw";
    };

type Named = Exclude<Key["kind"], "text">;

/** Sequences of xterm and of the Linux console, in normal and in application mode. */
const SEQUENCES: Readonly<Record<string, Named>> = {
  "[A": "up",
  OA: "up",
  "[B": "down",
  OB: "down",
  "[C": "right",
  OC: "right",
  "[D": "left",
  OD: "left",
  "[5~": "page up",
  "[6~": "page down",
  "[H": "home",
  OH: "home",
  "[1~": "home",
  "[7~": "home",
  "[F": "end",
  OF: "end",
  "[4~": "end",
  "[8~": "end",
};

const CONTROLS: Readonly<Record<string, Named>> = {
  "\r": "enter",
  "\n": "enter",
  "\u007f": "backspace",
  "\b": "backspace",
  "\t": "tab",
  "\u0003": "interrupt",
  "\u001a": "suspend",
  "\u000c": "redraw",
};

const SEQUENCE = /^\u001b(\[[0-9;?]*[ -/]*[@-~]|O[A-Za-z])/;
/** The beginning of one whose rest may still come. */
const UNFINISHED = /^\u001b(?:\[[0-9;?]*[ -/]*|O)?$/;

/**
 * The keys in what a terminal has sent, and the beginning of a sequence whose rest is still to come: an escape alone is
 * the key of that name only once nothing follows it.
 */
export function keysIn(sent: string, isAll: boolean): { readonly keys: Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let left = sent;
  while (left !== "") {
    if (left.startsWith("\u001b")) {
      if (UNFINISHED.test(left)) {
        if (!isAll) return { keys, rest: left };
        keys.push({ kind: "escape" });
        left = left.slice(1);
        continue;
      }
      const found = SEQUENCE.exec(left);
      const named = found === null ? "escape" : SEQUENCES[found[1] ?? ""];
      if (named !== undefined) keys.push({ kind: named });
      left = left.slice(found === null ? 1 : found[0].length);
      continue;
    }
    const [character = ""] = left;
    const named = CONTROLS[character];
    if (named !== undefined) keys.push({ kind: named });
    else if (character >= " ") keys.push({ kind: "text", text: character });
    left = left.slice(character.length);
  }
  return { keys, rest: "" };
}
