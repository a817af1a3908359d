import { redact } from "./redact.ts";

/** The last lines of an output that an error quotes; all of it is in a log. */
const QUOTED_LINES = 3;

/** `, saying: …` with the end of what a program has printed, without what is secret in it; nothing where it has printed nothing. */
export function saying(output: string): string {
  const lines = redact(output)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const text = lines.slice(-QUOTED_LINES).join(" / ").replace(/\.$/, "");
  return text === "" ? "" : `, saying: ${text}`;
}
