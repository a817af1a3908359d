import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BenchRun } from "../figure.ts";
import type { PeerProgram } from "./peer.ts";

const jarDirectory = "/usr/share/java";
const jars = ["zookeeper.jar", "zookeeper-jute.jar", "slf4j-api.jar", "slf4j-nop.jar"];
const here = import.meta.dirname;

/** The clients to measure; `bare` is none, but sockets alone. A peer that cannot run here is absent, and reported as missing. */
export interface Programs {
  readonly ours: PeerProgram;
  readonly bare: PeerProgram;
  readonly java: PeerProgram | undefined;
  readonly kazoo: PeerProgram | undefined;
}

/** @param scratch a directory for the compiled Java program */
export async function findPrograms(run: BenchRun, scratch: string): Promise<Programs> {
  return {
    ours: { name: "ours", command: [process.execPath, Bun.fileURLToPath(import.meta.resolve("../bun/peer.ts"))] },
    bare: { name: "bare", command: [process.execPath, Bun.fileURLToPath(import.meta.resolve("../bun/bare_peer.ts"))] },
    java: await compileJava(run, scratch),
    kazoo: await findKazoo(run),
  };
}

/** The clients that can run. */
export function present(programs: Programs): PeerProgram[] {
  return [programs.ours, programs.java, programs.kazoo].filter((program) => program !== undefined);
}

async function compileJava(run: BenchRun, scratch: string): Promise<PeerProgram | undefined> {
  const what = "all figures against Apache's Java client";
  const absent = jars.filter((jar) => !existsSync(join(jarDirectory, jar)));
  if (Bun.which("javac") === null || absent.length > 0) {
    run.missing(what, "Install the Debian packages default-jdk-headless, libzookeeper-java and libslf4j-java.");
    return undefined;
  }
  const classPath = [scratch, ...jars.map((jar) => join(jarDirectory, jar))].join(":");
  const source = join(here, "..", "java", "Peer.java");
  const { code, said } = await outcome(["javac", "-d", scratch, "-cp", classPath, source]);
  if (code !== 0) throw new Error(`javac could not compile ${source}:\n${said}`);
  return { name: "java", command: ["java", "-cp", classPath, "Peer"] };
}

async function findKazoo(run: BenchRun): Promise<PeerProgram | undefined> {
  // Debian's own Python first: another one that comes earlier in PATH does not see Debian's packages.
  for (const python of ["/usr/bin/python3", "python3"]) {
    if (Bun.which(python) === null) continue;
    const { code } = await outcome([python, "-c", "import kazoo.client"]);
    if (code === 0) return { name: "kazoo", command: [python, join(here, "..", "python", "peer.py")] };
  }
  run.missing("all figures against kazoo", "Install the Debian package python3-kazoo.");
  return undefined;
}

async function outcome(command: readonly string[]): Promise<{ code: number; said: string }> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, said: `${out}${err}` };
}
