import { DeployError } from "../core/errors.ts";
import { saying } from "../support/saying.ts";
import type { ToolResult, TrafficEffects } from "./effects.ts";

export interface ToolUse {
  readonly argv: readonly string[];
  /** Text for its standard input. */
  readonly input?: string;
  /** Follows "Cannot": `steer the traffic of web`. */
  readonly what: string;
  /** The hint for a failure whose reason is not known here. */
  readonly hint: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The part of the request that several programs share. */
export type ToolPurpose = Omit<ToolUse, "argv" | "input">;

/**
 * Runs a program that must succeed, and returns what it printed.
 *
 * @throws DeployError `traffic-failed` if it does not exist, takes too long or exits with anything but 0; `aborted`
 */
export async function runTool(use: ToolUse, effects: TrafficEffects): Promise<string> {
  const result = await tryTool(use, effects);
  if (result.code !== 0) throw toolFailure(use, result);
  return result.stdout;
}

/**
 * Like `runTool`, for a program whose failure the caller interprets.
 *
 * @throws DeployError `traffic-failed` if it does not exist or takes too long; `aborted`
 */
export async function tryTool(use: ToolUse, effects: TrafficEffects): Promise<ToolResult> {
  const { argv, input, timeoutMs, signal } = use;
  const [program = ""] = argv;
  if (effects.find(program) === null) {
    throw new DeployError(`Cannot ${use.what}: there is no program "${program}" on this host.`, {
      code: "traffic-failed",
      hint: `Install the package ${packageOf(program)}, or choose another traffic back end in the agent's file.`,
    });
  }
  return await effects.tool(argv, { ...(input === undefined ? {} : { input }), timeoutMs, signal });
}

export function toolFailure(use: ToolUse, result: ToolResult): DeployError {
  return new DeployError(
    `Cannot ${use.what}: "${use.argv.join(" ")}" exited with ${result.code}${toolSaying(result)}.`,
    {
      code: "traffic-failed",
      hint: isRefusal(result) ? RIGHTS_HINT : use.hint,
    },
  );
}

const RIGHTS_HINT =
  "Changing the kernel's rules needs root or CAP_NET_ADMIN: see AmbientCapabilities= in the agent's unit.";

/** True if a program reports that it lacks the rights (nft, iptables of either kind). */
export function isRefusal({ code, stderr }: ToolResult): boolean {
  return code !== 0 && /Operation not permitted|Permission denied|must be root/.test(stderr);
}

/** The Debian package of the program; other distributions use the same names. */
export function packageOf(program: string): string {
  if (program === "nft") return "nftables";
  return /^ip6?tables/.test(program) ? "iptables" : program;
}

/** What iptables-nft prints on every run on a host where both variants are in use. */
const CHATTER = /^# Warning: iptables-legacy tables present/;

/** `, saying: …`, or "" if the program printed nothing. */
export function toolSaying({ stdout, stderr }: ToolResult): string {
  const lines = (stderr.trim() === "" ? stdout : stderr).split("\n");
  return saying(lines.filter((line) => !CHATTER.test(line.trim())).join("\n"));
}
