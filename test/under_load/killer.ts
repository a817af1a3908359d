import type { NetworkNamespace, Started } from "../harness/netns.ts";
import { STATUS } from "./drive.ts";

/**
 * Run inside the host's network: looks at the status without a pause until a restart is in the phase, and kills the agent
 * there and then. Says which batch it was.
 */
const PROGRAM = `
const [phase, pid] = process.argv.slice(-2);
for (;;) {
  const answer = await fetch("http://${STATUS}/status?format=json").catch(() => null);
  const restart = (await answer?.json())?.services[0]?.restart;
  if (restart?.phase !== phase) continue;
  process.kill(Number(pid), "SIGKILL");
  console.log(restart.batch.join());
  break;
}
`;

/** Kills the agent, as SIGKILL does it, as soon as it is in a phase of a restart. */
export function killIn(phase: string, agent: Started, inside: Pick<NetworkNamespace, "start">): Started {
  return inside.start([process.execPath, "-e", PROGRAM, phase, String(agent.pid)]);
}
