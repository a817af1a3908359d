import { z } from "zod";
import { fourLetters } from "../../harness/zookeeper.ts";
import { serverJavaOptions } from "../zookeeper/server.ts";

const member = z.object({ connectString: z.string(), port: z.number(), pid: z.number() });

/** A server of the ensemble, as a process to kill. */
export type Member = z.infer<typeof member>;

/** Three real servers as they run in production, in processes whose variables the bench does not share. */
export async function startEnsemble(): Promise<{ readonly members: readonly Member[] } & AsyncDisposable> {
  const program = Bun.fileURLToPath(import.meta.resolve("./ensemble_program.ts"));
  const child = Bun.spawn([process.execPath, program], {
    env: { ...process.env, _JAVA_OPTIONS: serverJavaOptions },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  const said = new TextDecoder().decode(value).trim();
  if (said === "") throw new Error("the ZooKeeper servers did not start; what they said is above");
  return {
    members: z.array(member).parse(JSON.parse(said)),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** The server that leads now. */
export async function leaderOf(members: readonly Member[]): Promise<Member> {
  for (const member of members) {
    if ((await fourLetters(member.port, "srvr").catch(() => "")).includes("Mode: leader")) return member;
  }
  throw new Error("no server leads now");
}
