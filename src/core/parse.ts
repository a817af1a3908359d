import type { z } from "zod";
import { parse } from "../schema/problems.ts";
import { DeployError, type ErrorCode } from "./errors.ts";

/**
 * Parses `input` by `schema`.
 *
 * @param what names the input in the message, as in `agent.toml at /etc/deployd/agent.toml`
 * @throws DeployError listing every problem with its key
 */
export function parseOrThrow<S extends z.ZodType>(
  schema: S,
  input: unknown,
  what: string,
  facts: { code: ErrorCode; hint: string },
): z.output<S> {
  const parsed = parse(schema, input);
  if (parsed.ok) return parsed.value;
  const problems = parsed.problems.join("; ");
  throw new DeployError(`Cannot use ${what}: ${problems}${/[.?!]$/.test(problems) ? "" : "."}`, facts);
}
