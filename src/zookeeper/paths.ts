// Control characters, surrogates and the private and special ranges, as `PathUtils.validatePath` of Apache refuses them.
const forbiddenCharacter = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

/** What is wrong with `path`, or undefined. A sequential node's path may end in "/": the server appends the counter. */
export function pathProblem(path: string, sequential = false): string | undefined {
  const whole = sequential ? `${path}1` : path;
  if (whole === "/") return undefined;
  if (!whole.startsWith("/")) return "a path starts with /";
  if (whole.endsWith("/")) return "a path does not end with /";
  const forbidden = forbiddenCharacter.exec(whole);
  if (forbidden !== null) return `character ${forbidden.index} is not allowed`;
  for (const name of whole.slice(1).split("/")) {
    if (name === "") return "a name in it is empty";
    if (name === "." || name === "..") return "relative names are not allowed";
  }
  return undefined;
}

/** "/" has no parent; it is its own. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** The subtree a client is confined to: prefixed to what it sends, taken off what it gets. */
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
