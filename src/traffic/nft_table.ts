import type { TrafficEffects } from "./effects.ts";
import { runTool, toolFailure, tryTool, type ToolPurpose } from "./tool.ts";

/** In characters. Longer ones are legal, but nobody wants to type them. */
export const LONGEST_TABLE_NAME = 48;

/** A base chain of a table of our own, with all its rules. */
interface NftChain {
  readonly name: string;
  /** As in `type nat hook prerouting priority -100; policy accept;`, the priority as a number. */
  readonly hook: string;
  readonly rules: readonly string[];
}

/** A table of our own in the family inet: both of IPv4 and IPv6. */
export interface NftTable {
  readonly name: string;
  /** Counters that the rules use; they survive a change of the rules. */
  readonly counters: readonly string[];
  readonly chains: readonly NftChain[];
}

/** The table as `nft` lists it, or null if there is none. @throws DeployError `traffic-failed`, `aborted` */
export async function listTable(name: string, use: ToolPurpose, effects: TrafficEffects): Promise<string | null> {
  const listing = { ...use, argv: ["nft", "list", "table", "inet", name] };
  const result = await tryTool(listing, effects);
  if (result.code === 0) return result.stdout;
  if (result.stderr.includes("No such file or directory")) return null;
  throw toolFailure(listing, result);
}

/**
 * Makes the table match, in one transaction, unless it does already. Chains are emptied and filled and never deleted:
 * deleting a chain of type nat would end the translation of established connections.
 *
 * @throws DeployError `traffic-failed`, `aborted`
 */
export async function applyTable(table: NftTable, use: ToolPurpose, effects: TrafficEffects): Promise<void> {
  const listing = await listTable(table.name, use, effects);
  if (listing !== null && isListed(table, listing)) return;
  await runTool({ ...use, argv: ["nft", "-f", "-"], input: transaction(table) }, effects);
}

/** @throws DeployError `traffic-failed`, `aborted` */
export async function removeTable(name: string, use: ToolPurpose, effects: TrafficEffects): Promise<void> {
  if ((await listTable(name, use, effects)) === null) return;
  await runTool({ ...use, argv: ["nft", "delete", "table", "inet", name] }, effects);
}

/** The input for `nft -f`. "add" is not an error if the object exists. */
function transaction({ name, counters, chains }: NftTable): string {
  const lines = [
    `add table inet ${name}`,
    ...counters.map((counter) => `add counter inet ${name} ${counter}`),
    ...chains.flatMap((chain) => [
      `add chain inet ${name} ${chain.name} { ${chain.hook} }`,
      `flush chain inet ${name} ${chain.name}`,
      ...chain.rules.map((rule) => `add rule inet ${name} ${chain.name} ${rule}`),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Whether a listing of the table shows exactly these chains with exactly these rules. */
export function isListed({ counters, chains }: NftTable, listing: string): boolean {
  const listed = blocksOf(listing);
  const wanted = [
    ...counters.map((name) => ({ head: `counter ${name}`, lines: null })),
    ...chains.map(({ name, hook, rules }) => ({ head: `chain ${name}`, lines: [hook, ...rules].map(inOneSpelling) })),
  ];
  return (
    listed.size === wanted.length &&
    wanted.every(({ head, lines }) => {
      const found = listed.get(head);
      return found !== undefined && (lines === null || found.join("\n") === lines.join("\n"));
    })
  );
}

/** Maps each block of the table, such as `chain output`, to its lines. */
function blocksOf(listing: string): Map<string, string[]> {
  const blocks = new Map<string, string[]>();
  let lines: string[] | null = null;
  for (const line of listing.split("\n").map((text) => text.trim())) {
    const head = /^((?:chain|counter|set|map) \S+) \{/.exec(line)?.[1];
    if (head !== undefined) {
      lines = [];
      blocks.set(head, lines);
    } else if (line === "}") lines = null;
    else if (line !== "") lines?.push(inOneSpelling(line));
  }
  return blocks;
}

/** Versions of nft print the same rule differently; a spelling that is not known here costs only a needless change. */
function inOneSpelling(line: string): string {
  return line
    .replace(/ # handle \d+$/, "")
    .replace(/priority dstnat;/, "priority -100;")
    .replace(/priority filter - (\d+);/, "priority -$1;")
    .replace(/tcp flags & \((\w+) \| (\w+)\) == (\w+)/, "tcp flags $3 / $1,$2")
    .replaceAll(/\s+/g, " ");
}
