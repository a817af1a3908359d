const HIDDEN = "[redacted]";

/** Names whose values are secrets, wherever they stand: environment, query, header, JSON. */
const SECRET_NAME =
  "[A-Za-z0-9_.-]{0,64}(?:password|passwd|passphrase|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|credential|signature)[A-Za-z0-9_.-]{0,64}";

const RULES: readonly (readonly [RegExp, string])[] = [
  // scheme://user:password@host, also without a user or a password
  [/\b([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/?#@]{1,512}@/gi, `$1${HIDDEN}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, HIDDEN],
  [
    /\b((?:proxy-)?authorization["']?\s{0,8}[:=]\s{0,8}["']?)(?:(?:basic|bearer|digest|negotiate|token|aws4-hmac-sha256)\s+)?[^"'\r\n]+/gi,
    `$1${HIDDEN}`,
  ],
  [/\b((?:set-)?cookie["']?\s{0,8}:\s{0,8}["']?)[^"'\r\n]+/gi, `$1${HIDDEN}`],
  [/\bbearer\s+[A-Za-z0-9._~+/=-]{8,}/gi, `Bearer ${HIDDEN}`],
  // ?token=…&X-Amz-Signature=…, PASSWORD=…, aws_secret_access_key = …, "password": "…"
  [new RegExp(`(${SECRET_NAME}["']?\\s{0,8}=\\s{0,8})(?:"[^"\\r\\n]*"|'[^'\\r\\n]*'|[^\\s&"']+)`, "gi"), `$1${HIDDEN}`],
  [
    new RegExp(`(["']${SECRET_NAME}["']\\s{0,8}:\\s{0,8})(?:"(?:[^"\\\\\\r\\n]|\\\\.)*"|'[^'\\r\\n]*')`, "gi"),
    `$1"${HIDDEN}"`,
  ],
  [new RegExp(`(?<![\\w-])(--?(?!no-)(?=[A-Za-z])${SECRET_NAME}\\s+)[^\\s-]\\S*`, "gi"), `$1${HIDDEN}`],
  [/([?&](?:sig|key|auth|pwd|pass)=)[^\s&"'#]+/gi, `$1${HIDDEN}`],
  // Keys that say by their form what they are: AWS, GitHub, GitLab, Slack, and JSON web tokens
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  [/\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})/g, HIDDEN],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, HIDDEN],
];

/**
 * `text` without the credentials in it, for logs, statuses and error messages that leave the host. It looks for what
 * credentials usually look like, so it is a second line of defence: do not print secrets in the first place.
 */
export function redact(text: string): string {
  return RULES.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text);
}
