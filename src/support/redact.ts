const HIDDEN = "[redacted]";

/**
 * Words at the end or the beginning of a name whose value is a secret, in any format: environment, query, header, JSON,
 * YAML.
 */
const SECRET_WORD = [
  "password|passwd|passphrase|secret|token|credential|signature|jwt",
  "api[ _-]?key|(?:access|account|auth|encryption|private|signing)[_-]?key",
  // These are too short to be told from other words except at the end of a name: DB_PASS, _auth.
  "[_-](?:pass|pwd|auth)(?![A-Za-z0-9_])",
].join("|");
/**
 * Matches from the secret word on: what comes before it is kept anyway, and searching for it would cost time at every
 * letter.
 */
const SECRET_END = `(?:${SECRET_WORD})[A-Za-z0-9_.-]{0,64}`;
const SECRET_NAME = `[A-Za-z0-9_.-]{0,64}${SECRET_END}`;
/** Also matches inside JSON that is itself a JSON string: \"token\": \"…\". */
const ASSIGNS = `\\\\{0,4}["']?\\s{0,8}(?:(?::=|=>?|%3d)\\s{0,8}|:(?!//)[ \\t]{0,8})`;
const QUOTED = `"(?:[^"\\\\\\r\\n]|\\\\.)*"|'(?:[^'\\\\\\r\\n]|\\\\.)*'|\\\\{1,4}["'][^"'\\r\\n]*`;
/** An object or a list is not a secret itself; its members have names of their own. */
const BARE = `(?![{[](?:["'\\s\\\\]|$))[^\\s&"'<]+`;

type Replacement = string | ((found: string, ...groups: string[]) => string);

const RULES: readonly (readonly [RegExp, Replacement])[] = [
  // scheme://user:password@host, also without a user or a password
  [/\b([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/?#@]{1,512}@/gi, `$1${HIDDEN}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, HIDDEN],
  [
    /\b((?:proxy-)?authorization["']?\s{0,8}[:=]\s{0,8}["']?)(?:(?:basic|bearer|digest|negotiate|token|aws4-hmac-sha256)\s+)?[^"'\r\n]+/gi,
    `$1${HIDDEN}`,
  ],
  [/\b((?:set-)?cookie["']?\s{0,8}:\s{0,8}["']?)[^"'\r\n]+/gi, `$1${HIDDEN}`],
  [/\bbearer\s+(?=\S{0,512}\d|\S{8})[A-Za-z0-9._~+/=-]+/gi, `Bearer ${HIDDEN}`],
  [
    /\bbasic\s+([A-Za-z0-9+/]{4,1024}={0,2})/gi,
    (found, encoded = "") => (isLogin(encoded) ? `Basic ${HIDDEN}` : found),
  ],
  // A passphrase may contain spaces.
  [/(passphrase\s{0,8}[:=]\s{0,8})[^"'\s][^\r\n]*/gi, `$1${HIDDEN}`],
  // ?token=…&X-Amz-Signature=…, PASSWORD=…, aws_secret_access_key = …, "password": "…", token: …
  [
    new RegExp(`(?<!unexpected )(${SECRET_END}${ASSIGNS})(${QUOTED}|${BARE})`, "gi"),
    (found, name = "", value = "") => (isCount(name, value) ? found : `${name}${hiddenAs(value)}`),
  ],
  [new RegExp(`(<${SECRET_NAME}>)[^<\\r\\n]+`, "gi"), `$1${HIDDEN}`],
  [new RegExp(`(?<![\\w-])(--?(?!no-)(?=[A-Za-z])${SECRET_NAME}\\s+)[^\\s-]\\S*`, "gi"), `$1${HIDDEN}`],
  // curl -u me:…, and a line of .netrc; two numbers are a user and a group
  [/(\s(?:-u|--user|--proxy-user)[\s=]+["']?(?!\d+:\d+\b)[^\s:"']{1,128}:)[^\s"']+/g, `$1${HIDDEN}`],
  [/\b(login\s+\S{1,128}\s+password\s+)\S+/gi, `$1${HIDDEN}`],
  [/([?&](?:sig|key|auth|pwd|pass)=)[^\s&"'#]+/gi, `$1${HIDDEN}`],
  // Keys that can be recognized by their form: AWS, GitHub, GitLab, Slack, and JSON web tokens.
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  [/\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})/g, HIDDEN],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, HIDDEN],
];

/**
 * `text` without the credentials in it, for logs, statuses and error messages that leave the host. It recognizes the
 * usual forms of credentials only, so it is a second line of defence: do not print secrets in the first place.
 */
export function redact(text: string): string {
  return RULES.reduce(
    (clean, [pattern, replacement]) =>
      typeof replacement === "string" ? clean.replace(pattern, replacement) : clean.replace(pattern, replacement),
    text,
  );
}

/** Whether it is `user:password` in base64, and not an ordinary word after "basic". */
function isLogin(encoded: string): boolean {
  return /^[\x20-\x7e]*:[\x20-\x7e]*$/.test(Buffer.from(encoded, "base64").toString("latin1"));
}

/** The token count of a language model, which is no secret. */
function isCount(name: string, value: string): boolean {
  return /tokens["']?\s*[:=]\s*$/i.test(name) && /^\d+[,;.]?$/.test(value);
}

/** Keeps JSON valid. */
function hiddenAs(value: string): string {
  const quotes = /^(\\*["']).*?(\\*["'])?$/s.exec(value);
  return quotes === null ? HIDDEN : `${quotes[1] ?? ""}${HIDDEN}${quotes[2] ?? ""}`;
}
