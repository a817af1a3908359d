import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const root = join(import.meta.dir, "..", "..");
export const script = join(root, "install.sh");
export const binaryName = process.arch === "arm64" ? "deployd-linux-arm64" : "deployd-linux-x64";

/** Stands for the real binary, which is a hundred megabytes: it answers `deployd version` and ends. */
export function fakeBinary(version: string): string {
  return `#!/bin/sh\n[ "$1" = version ] && echo "deployd ${version}"\n`;
}

export function sha256(bytes: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Writes a mirror directory; `files` besides the binary, all of them listed in SHA256SUMS. */
export async function writeMirror(
  directory: string,
  binary: string,
  files: Readonly<Record<string, Uint8Array>> = {},
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const all: [string, string | Uint8Array][] = [[binaryName, binary], ...Object.entries(files)];
  const sums = all.map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join("");
  // Readable for everybody, whatever the umask that the tests run under.
  for (const [name, bytes] of [...all, ["SHA256SUMS", sums] as const]) {
    await writeFile(join(directory, name), bytes);
    await chmod(join(directory, name), 0o644);
  }
  await chmod(directory, 0o755);
}

interface Installed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly shell?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Becomes this user when the test itself is root. */
  readonly unprivileged?: boolean;
}

const DEFAULT_ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };
/** nobody, on every Linux. */
const NOBODY = "65534";

export async function runInstall(args: readonly string[], options: RunOptions = {}): Promise<Installed> {
  const becoming =
    options.unprivileged === true && process.getuid?.() === 0
      ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"]
      : [];
  // As it arrives from curl: the script is on the standard input.
  const child = Bun.spawn([...becoming, ...(options.shell ?? ["sh"]), "-s", "--", ...args], {
    env: { ...DEFAULT_ENV, ...options.env },
    // Not the repository, which may stand where only root can look.
    cwd: "/",
    stdin: Bun.file(script),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}
