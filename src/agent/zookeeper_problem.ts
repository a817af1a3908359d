import { DeployError } from "../core/errors.ts";
import type { Session } from "../zookeeper/session.ts";
import type { SessionState } from "../zookeeper/state.ts";

/**
 * Why this agent no longer has a session; "" while it has one and before the first. A connection that is lost for less
 * than 1.5 times the session timeout is no problem yet: what was read remains valid.
 *
 * @param servers the servers as agent.toml lists them
 */
export function zookeeperProblem({ state, epoch }: Pick<Session, "state" | "epoch">, servers: string): string {
  switch (state.kind) {
    case "connected":
    case "suspended":
    case "expired":
    case "closed":
      return "";
    case "connecting":
      return epoch === 1 || state.reason === undefined ? "" : outOfReach(servers, state.reason).explained;
    case "auth-failed":
      return refused(servers, state.reason).explained;
  }
}

/** The server in use, or why there is none. */
export function zookeeperDetail(state: SessionState): string {
  switch (state.kind) {
    case "connected":
      return state.server;
    case "connecting":
      return state.reason ?? "no server has answered yet";
    case "suspended":
    case "expired":
    case "auth-failed":
      return state.reason;
    case "closed":
      return state.kind;
  }
}

function outOfReach(servers: string, reason: string): DeployError {
  return new DeployError(`Cannot reach ZooKeeper at ${servers}: ${reason}.`, {
    code: "zookeeper-unreachable",
    hint: "Check that its servers are up, and that zookeeper.servers in agent.toml names them.",
    retry: true,
  });
}

function refused(servers: string, reason: string): DeployError {
  return new DeployError(`Cannot use ZooKeeper at ${servers}: ${reason}.`, {
    code: "zookeeper-unreachable",
    hint: "Correct zookeeper.digest in agent.toml and start the agent again.",
  });
}
