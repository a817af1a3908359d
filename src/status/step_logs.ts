import { redact } from "../support/redact.ts";

/** What one step of a build has printed on this host. */
export interface StepLog {
  /** As the file is called, without its ending: "restart", or "restart-web-2" where a service has several instances. */
  readonly name: string;
  readonly text: string;
}

/** The logs that this host keeps, by the names in their directories alone. */
export interface StepLogs {
  /** What a build's steps are that have printed anything here; empty for a service or a build that is not there. */
  names(service: string, build: string): Promise<readonly string[]>;
  /** @param name one of `names`. @returns null where it is gone */
  read(service: string, build: string, name: string): Promise<string | null>;
}

/** An answer has at most so many bytes: the end of what was printed. */
export const MOST_BYTES = 64 * 1024;
/** So many characters at the end are looked through for secrets: one that begins before the answer must be hidden, too. */
const LOOKED_AT_CHARS = 8 * MOST_BYTES;

/** The log of a step, and those of its instances. */
export async function logsOfStep(logs: StepLogs, service: string, build: string, step: string): Promise<StepLog[]> {
  const names = (await logs.names(service, build)).filter((name) => name === step || name.startsWith(`${step}-`));
  const read = await Promise.all(
    names.toSorted().map(async (name) => ({ name, text: await logs.read(service, build, name) })),
  );
  return read.flatMap(({ name, text }) => (text === null ? [] : [{ name, text }]));
}

/** The last lines of each log, with secrets hidden; each has its name above it where there are several, as in tail(1). */
export function endOfLogs(logs: readonly StepLog[], lines: number): string {
  const each = Math.floor(MOST_BYTES / Math.max(1, logs.length)) - 128;
  const texts = logs.map(({ name, text }) => {
    const head = logs.length > 1 ? `==> ${name} <==\n` : "";
    const shown = lastBytes(lastLines(redact(text.slice(-LOOKED_AT_CHARS)), lines), each);
    return `${head}${shown}${shown === "" || shown.endsWith("\n") ? "" : "\n"}`;
  });
  return texts.join("\n");
}

function lastLines(text: string, lines: number): string {
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}

/** The end of a text, in whole characters. */
function lastBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  const end = bytes.subarray(bytes.length - most);
  // The bytes of a character that was cut in two are all of this form.
  const first = end.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return end.subarray(first).toString("utf8");
}
