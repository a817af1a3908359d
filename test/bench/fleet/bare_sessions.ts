import { median } from "../statistics.ts";
import { Program, wallMs } from "./program.ts";
import { processesFor } from "./fleet_of_hosts.ts";
import { clientOf, makeTree } from "./tree.ts";

const ROUNDS = 3;
/** About as much as is in a wish, the record of a build and that of a deploy. */
const BYTES = 300;

/**
 * How long it takes, in milliseconds, until the last of as many bare sessions as there are hosts has heard of a change and
 * has read as many nodes as a host reads to decide.
 */
export async function bareSessionsMs(server: string, size: number, nodes: number): Promise<number> {
  const processes = processesFor(size);
  await using resources = new AsyncDisposableStack();
  const servers = await makeTree(server, []);
  const zk = resources.use(clientOf(servers));
  const paths = Array.from({ length: nodes }, (_, at) => `/bare-${at}`);
  const data = new Uint8Array(BYTES);
  for (const path of paths) await zk.create(path, data);
  const parts = Array.from({ length: processes }, () => resources.use(new Program("readers_program")));
  const shareOf = (part: number): number => Math.floor((size + part) / processes);
  await Promise.all(parts.map((part, at) => part.ask({ ask: "open", servers, count: shareOf(at), paths })));
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(parts.map((part) => part.ask({ ask: "arm" })));
    const startedAtMs = wallMs();
    await zk.set(paths[0] ?? "", data);
    const over = await Promise.all(parts.map((part) => part.ask<{ atMs: number }>({ ask: "over" })));
    rounds.push(Math.max(...over.map(({ atMs }) => atMs)) - startedAtMs);
  }
  await Promise.all(parts.map((part) => part.ask({ ask: "close" })));
  return median(rounds);
}
