import { redact } from "../support/redact.ts";
import { isUntrusted } from "../support/trust.ts";

/** The result of one attempt of a check. */
export type ProbeResult = ProbeSuccess | ProbeFailure;

interface ProbeSuccess {
  readonly ok: true;
  readonly tookMs: number;
}

export interface ProbeFailure {
  readonly ok: false;
  /** A few words without numbers that differ from host to host, so that a fleet's failures can be grouped by it. */
  readonly reason: string;
  /** What a person looks at next: the beginning of a body, the end of an output. */
  readonly detail?: string;
  /** Set if the host's policy forbids the probe, so that nothing was sent. */
  readonly isForbidden?: true;
}

/** The longest detail, in characters: it is part of a status that must stay under 4 kB. */
const DETAIL_CHARS = 500;

export function probeFailure(reason: string, detail = ""): ProbeFailure {
  const trimmed = redact(detail).trim();
  return trimmed === "" ? { ok: false, reason } : { ok: false, reason, detail: trimmed.slice(0, DETAIL_CHARS) };
}

export function forbidden(reason: string, detail: string): ProbeFailure {
  return { ...probeFailure(reason, detail), isForbidden: true };
}

const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "name not found",
  EAI_AGAIN: "name not found",
  ETIMEDOUT: "connection timed out",
};

/** A socket's error in the words used for the reason. */
export function networkFailure(error: unknown): ProbeFailure {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (isUntrusted(code)) return probeFailure("certificate not trusted", message);
  return probeFailure(
    NETWORK_REASONS[code] ?? (code === "" ? "connection failed" : `connection failed: ${code}`),
    message,
  );
}

export function timedOut(timeoutMs: number): ProbeFailure {
  return probeFailure(`timeout after ${Math.round(timeoutMs)} ms`);
}
