import { redact } from "./redact.ts";

const HIDDEN = "[redacted]";

/**
 * Parameters that sign a URL or identify the caller: those of S3, GCS, Azure, CloudFront, OSS, COS, Akamai and nginx, and
 * those that people invent.
 */
const SECRET_PARAMETER = new RegExp(
  [
    "signature|credential|token|secret|passw|passphrase|hmac|jwt|authorization|session",
    "api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|auth[_-]?key|key[_-]?pair|accessid$|hdne[at]|hdnts",
    "(?:^|[_-])(?:sig|sign|auth|pwd|pass)(?:$|[_-])|^q-",
    "^(?:policy|sid)$",
  ].join("|"),
  "i",
);
/** A URL that expires was signed, whatever the name of its signature parameter. */
const EXPIRES = /^(?:expires|expiry|expiration|exp)$|[_-]expires$/i;
/** A parameter called just "key" whose value looks random; the key of an object in a store contains a dot or a slash. */
const BARE_KEY = /^[A-Za-z0-9_-]{16,}$/;

/**
 * Why a URL must not be shown to everybody, in words that do not reveal the secret; null if there is no reason. It
 * recognizes passwords, signatures and tokens by their usual names and forms.
 */
export function secretInUrl(url: URL): string | null {
  if (url.username !== "" || url.password !== "") return "it has a user or a password in it";
  const parameter = parametersOf(url).find(({ name, value }) => EXPIRES.test(name) || isSecret(name, value));
  if (parameter !== undefined) {
    return `it is signed, or has a token in it: ${redact(JSON.stringify(parameter.name.slice(0, 40)))} says so`;
  }
  return redact(decoded(url.pathname)) === decoded(url.pathname) ? null : "its path has what looks like a key in it";
}

/** A URL with its secrets masked and the rest unchanged. */
export function maskedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return redact(text);
  if (secretInUrl(url) === null) return text;
  const login = url.username === "" && url.password === "" ? "" : `${HIDDEN}@`;
  const path = redact(decoded(url.pathname)) === decoded(url.pathname) ? url.pathname : redact(decoded(url.pathname));
  const isSigned = parametersOf(url).some(({ name }) => EXPIRES.test(name));
  const query = (part: string): string =>
    part.replace(/([?#&;]|^)([^=&;?#]*)=([^&;]*)/g, (found, before: string, name: string, value: string) =>
      isSigned || isSecret(decoded(name), decoded(value)) ? `${before}${name}=${HIDDEN}` : found,
    );
  return redact(`${url.protocol}//${login}${url.host}${query(path)}${query(url.search)}${query(url.hash)}`);
}

/** Parameters of the query, of the fragment, and of the path, where some systems put them after a semicolon. */
function parametersOf(url: URL): { name: string; value: string }[] {
  const parts = [url.search.slice(1), url.hash.slice(1), ...url.pathname.split("/")];
  return parts.flatMap((part) =>
    part.split(/[&;?]/).flatMap((each) => {
      const at = each.indexOf("=");
      return at < 0 ? [] : [{ name: decoded(each.slice(0, at)), value: decoded(each.slice(at + 1)) }];
    }),
  );
}

function isSecret(name: string, value: string): boolean {
  if (value === "") return false;
  return SECRET_PARAMETER.test(name) || (/^key$/i.test(name) && BARE_KEY.test(value)) || redact(value) !== value;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
