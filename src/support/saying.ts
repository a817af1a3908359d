import { redact } from "./redact.ts";

/** How many of the last lines of an output an error quotes; the whole output is in a log. */
const QUOTED_LINES = 3;

/** `, saying: …` with the end of a program's output, secrets removed; "" if it has printed nothing. */
export function saying(output: string): string {
  const lines = redact(output)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const text = lines.slice(-QUOTED_LINES).join(" / ").replace(/\.$/, "");
  return text === "" ? "" : `, saying: ${text}`;
}
