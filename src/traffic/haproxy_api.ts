import { DeployError, isDeployError } from "../core/errors.ts";
import type { TrafficEffects } from "./effects.ts";

/** A backend of an HAProxy, reached by its runtime API (HAProxy's management guide, section 9.3). */
export interface HaproxyBackend {
  readonly socket: string;
  readonly backend: string;
  readonly timeoutMs: number;
}

/** A server as `show servers state` reports it. */
export interface ServerState {
  readonly backendId: string;
  readonly name: string;
  /** 0 stopped, 1 starting (within its slowstart), 2 running, 3 stopping. */
  readonly operational: number;
  /** Bits; see the constants below. */
  readonly admin: number;
}

/** In maintenance: by command, because a tracked server is, or because its name does not resolve. */
const MAINTENANCE = 0x01 | 0x02 | 0x20;
/** In maintenance by command alone, or by `disabled` in HAProxy's own configuration until a person enables it. */
const FORCED_MAINTENANCE = 0x01;
/** Gets no new sessions: by command, or because a tracked server does not. */
const DRAIN = 0x08 | 0x10;
const FORCED_DRAIN = 0x08;

/** The administrative state, set by deployd, by a person, or by HAProxy itself. */
export function adminState({ admin }: ServerState): "ready" | "drain" | "forced-drain" | "maint" | "forced-maint" {
  if ((admin & FORCED_MAINTENANCE) !== 0) return "forced-maint";
  if ((admin & MAINTENANCE) !== 0) return "maint";
  if ((admin & FORCED_DRAIN) !== 0) return "forced-drain";
  return (admin & DRAIN) !== 0 ? "drain" : "ready";
}

/** A row of `show stat`, for a server or for the backend as a whole. */
export interface StatRow {
  readonly name: string;
  readonly currentSessions: number;
  readonly queued: number;
  readonly connectionErrors: number;
}

/** @throws DeployError `traffic-failed`, `aborted` */
export async function serverStates(
  at: HaproxyBackend,
  effects: TrafficEffects,
  signal: AbortSignal,
): Promise<ServerState[]> {
  const command = `show servers state ${at.backend}`;
  const answer = await askHaproxy(at, command, effects, signal);
  // The answer: a version number, a line of column names after "#", then one line per server.
  const columns = /^# (be_id .*)$/m.exec(answer)?.[1]?.split(" ");
  if (columns === undefined) throw refusal(at, command, answer);
  const column = (name: string): number => columns.indexOf(name);
  return answer
    .split("\n")
    .filter((line) => /^\d+ /.test(line))
    .map((line) => {
      const fields = line.split(" ");
      const field = (name: string): string => fields[column(name)] ?? "";
      return {
        backendId: field("be_id"),
        name: field("srv_name"),
        operational: Number(field("srv_op_state")),
        admin: Number(field("srv_admin_state")),
      };
    });
}

/** Objects of `show stat`: 2 is a backend, 4 a server. */
const BACKENDS_AND_SERVERS = 6;

/** @throws DeployError `traffic-failed`, `aborted` */
export async function statistics(
  at: HaproxyBackend,
  backendId: string,
  effects: TrafficEffects,
  signal: AbortSignal,
): Promise<StatRow[]> {
  const command = `show stat ${backendId} ${BACKENDS_AND_SERVERS} -1`;
  const answer = await askHaproxy(at, command, effects, signal);
  const [head = "", ...rows] = answer.trim().split("\n");
  if (!head.startsWith("# pxname,")) throw refusal(at, command, answer);
  const columns = head.slice("# ".length).split(",");
  return rows.map((row) => {
    const fields = row.split(",");
    const field = (name: string): string => fields[columns.indexOf(name)] ?? "";
    return {
      name: field("svname"),
      currentSessions: Number(field("scur")),
      queued: Number(field("qcur")),
      connectionErrors: Number(field("econ")),
    };
  });
}

/** @throws DeployError `traffic-failed`, `aborted` */
export async function setServer(
  at: HaproxyBackend,
  server: string,
  state: "ready" | "drain",
  effects: TrafficEffects,
  signal: AbortSignal,
): Promise<void> {
  const command = `set server ${at.backend}/${server} state ${state}`;
  const answer = await askHaproxy(at, command, effects, signal);
  // HAProxy answers nothing on success.
  if (answer.trim() !== "") throw refusal(at, command, answer);
}

async function askHaproxy(
  at: HaproxyBackend,
  command: string,
  effects: TrafficEffects,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await effects.ask(at.socket, `${command}\n`, { timeoutMs: at.timeoutMs, signal });
  } catch (error) {
    if (!isDeployError(error) || error.code === "aborted") throw error;
    throw new DeployError(`Cannot ask HAProxy to "${command}": ${error.message}`, {
      code: "traffic-failed",
      hint: `Is HAProxy running, with "stats socket ${at.socket} level admin" in its global section, and may the agent's user open it?`,
      retry: true,
      cause: error,
    });
  }
}

/** HAProxy answers errors in prose, like everything else. */
function refusal(at: HaproxyBackend, command: string, answer: string): DeployError {
  const [said = ""] = answer.trim().split("\n");
  return new DeployError(
    `Cannot ask HAProxy at ${at.socket} to "${command}": it answers "${said.slice(0, 200).replace(/\.$/, "")}".`,
    { code: "traffic-failed", hint: hintOn(at, answer) },
  );
}

function hintOn(at: HaproxyBackend, answer: string): string {
  if (/Permission denied/i.test(answer)) {
    return `Give the socket its level: "stats socket ${at.socket} level admin" in HAProxy's global section.`;
  }
  if (/find backend|No such backend/i.test(answer)) {
    return `Name a backend of HAProxy's configuration in the agent's file (backend = "${at.backend}").`;
  }
  if (/No such server/i.test(answer)) return "Name the servers in the agent's file as HAProxy's configuration does.";
  if (/Unknown command/i.test(answer)) {
    return "Is this the socket of HAProxy itself, and not of its master (-S) or of another program?";
  }
  return `Try it by hand: echo "show servers state ${at.backend}" | socat stdio ${at.socket}.`;
}
