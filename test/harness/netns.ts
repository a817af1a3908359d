import { randomBytes } from "node:crypto";
import { type Ran, run } from "./fleet_program.ts";

/** A network of its own, with a loopback that is up and nothing else in it. Needs root. */
export interface NetworkNamespace extends AsyncDisposable {
  readonly name: string;
  /** Runs a program inside to its end. */
  run(argv: readonly string[]): Promise<Ran>;
  /** The same, with `input` for it; throws when it fails. */
  must(argv: readonly string[], input?: string): Promise<string>;
  /** Starts a program inside; it is killed with the namespace at the latest. */
  start(argv: readonly string[]): Started;
}

export interface Started extends AsyncDisposable {
  readonly pid: number;
  /** Writes a line to its standard input. */
  say(line: string): Promise<void>;
  /** The next line that it prints; throws when it has ended or says nothing for ten seconds. */
  line(): Promise<string>;
}

export async function networkNamespace(): Promise<NetworkNamespace> {
  const name = `deployd-${process.pid}-${randomBytes(3).toString("hex")}`;
  await must(["ip", "netns", "add", name]);
  await must(["ip", "-n", name, "link", "set", "lo", "up"]);
  const inside = (argv: readonly string[]): string[] => ["ip", "netns", "exec", name, ...argv];
  const started: Started[] = [];
  return {
    name,
    run: (argv) => run(inside(argv)),
    must: (argv, input) => must(inside(argv), input),
    start: (argv) => {
      const program = start(inside(argv));
      started.push(program);
      return program;
    },
    [Symbol.asyncDispose]: async () => {
      for (const program of started) await program[Symbol.asyncDispose]();
      await must(["ip", "netns", "del", name]);
    },
  };
}

/** Addresses of two joined namespaces, first and second. */
export const JOINED = {
  ipv4: ["10.77.0.1", "10.77.0.2"],
  ipv6: ["fd77::1", "fd77::2"],
} as const;

/** Lays a cable between the two. It goes with either. */
export async function join(first: NetworkNamespace, second: NetworkNamespace): Promise<void> {
  await must(["ip", "-n", first.name, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", second.name]);
  for (const [index, { name }] of [first, second].entries()) {
    await must(["ip", "-n", name, "addr", "add", `${JOINED.ipv4[index]}/24`, "dev", "cable"]);
    // nodad: usable at once.
    await must(["ip", "-n", name, "addr", "add", `${JOINED.ipv6[index]}/64`, "dev", "cable", "nodad"]);
    await must(["ip", "-n", name, "link", "set", "cable", "up"]);
  }
}

async function must(argv: readonly string[], input?: string): Promise<string> {
  const ran =
    input === undefined ? await run(argv) : await run(["/bin/sh", "-c", 'printf %s "$0" | "$@"', input, ...argv]);
  if (ran.code !== 0) throw new Error(`"${argv.join(" ")}" exited with ${ran.code}: ${ran.stderr}`);
  return ran.stdout;
}

const LINE_MS = 10_000;

function start(argv: readonly string[]): Started {
  // Both become the program, so this is its pid. It must not outlive a run of tests that crashes.
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", ...argv], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  const line = async (): Promise<string> => {
    for (;;) {
      const end = rest.indexOf("\n");
      if (end >= 0) {
        const found = rest.slice(0, end);
        rest = rest.slice(end + 1);
        return found;
      }
      const { done, value } = await reader.read();
      if (done) throw new Error(`"${argv.join(" ")}" has ended after "${rest}".`);
      rest += decoder.decode(value, { stream: true });
    }
  };
  return {
    pid: child.pid,
    say: async (text) => {
      void child.stdin.write(`${text}\n`);
      await child.stdin.flush();
    },
    line: async () => {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(new Error(`"${argv.join(" ")}" says nothing.`)), LINE_MS);
      try {
        return await Promise.race([line(), late]);
      } finally {
        clearTimeout(timer);
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
