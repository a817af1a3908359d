/** Control characters, surrogates and the private and special ranges, as `PathUtils.validatePath` of Apache refuses them. */
function isForbidden(code: number): boolean {
  if (code < 0x20) return true;
  return (code >= 0x7f && code <= 0x9f) || (code >= 0xd800 && code <= 0xf8ff) || code >= 0xfff0;
}

const slash = 0x2f;

/** What is wrong with `path`, or undefined. A sequential node's path may end in "/": the server appends the counter. */
export function pathProblem(path: string, sequential = false): string | undefined {
  const whole = sequential ? `${path}1` : path;
  if (whole === "/") return undefined;
  if (!whole.startsWith("/")) return "a path starts with /";
  if (whole.endsWith("/")) return "a path does not end with /";
  // Every operation passes here, so each character is looked at once and nothing is allocated.
  for (let at = 1, start = 1; at <= whole.length; at += 1) {
    const code = at === whole.length ? slash : whole.charCodeAt(at);
    if (isForbidden(code)) return `character ${at} is not allowed`;
    if (code !== slash) continue;
    if (at === start) return "a name in it is empty";
    if (isRelative(whole, start, at)) return "relative names are not allowed";
    start = at + 1;
  }
  return undefined;
}

function isRelative(path: string, start: number, end: number): boolean {
  return (end - start === 1 && path[start] === ".") || (end - start === 2 && path.startsWith("..", start));
}

/** The parent's path; for "/" it is "/" itself. */
export function parentPath(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}

/** The subtree a client is confined to: its path is prefixed to sent paths and removed from received ones. */
export class Chroot {
  readonly #prefix: string;

  /** @param prefix "" or "/" for none */
  constructor(prefix: string) {
    this.#prefix = prefix === "/" ? "" : prefix;
  }

  toServer(path: string): string {
    if (this.#prefix === "") return path;
    return path === "/" ? this.#prefix : this.#prefix + path;
  }

  toClient(path: string): string {
    if (this.#prefix === "") return path;
    if (path === this.#prefix) return "/";
    return path.startsWith(`${this.#prefix}/`) ? path.slice(this.#prefix.length) : path;
  }
}
