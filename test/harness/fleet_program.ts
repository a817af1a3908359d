/** How a program ended and all that it printed. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until it is killed and the test fails; 120,000 unless given. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end. The environment is the given one alone, with a plain PATH. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { cwd, env = {}, timeoutMs = 120_000 } = options;
  const startedAt = performance.now();
  const child = Bun.spawn([...argv], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(timer);
  if (late) {
    throw new Error(`"${argv.join(" ")}" had not ended after ${timeoutMs} ms. It printed:\n${stdout}\n${stderr}`);
  }
  return { code: child.signalCode === null ? code : null, stdout, stderr, tookMs: performance.now() - startedAt };
}
