import { closeSync } from "node:fs";
import { DeployError } from "../core/errors.ts";
import type { ServiceManager } from "../machine/service_manager.ts";
import { errno, libc } from "./libc.ts";
import { startAtBoot, ownUnit } from "./own_unit.ts";

/** From <sys/socket.h> on Linux. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** Size of sun_path in struct sockaddr_un, in bytes. */
const PATH_BYTES = 108;

/**
 * The protocol of sd_notify(3): lines of VARIABLE=value in a datagram to the socket in NOTIFY_SOCKET. Removes the
 * variables from `env`, so that no command started later can speak in the agent's name.
 *
 * @param env the process's environment
 * @param onError called if a message could not be sent; the agent goes on without it
 */
export function serviceManager(
  env: Record<string, string | undefined>,
  onError: (error: DeployError) => void = () => {},
): ServiceManager {
  const socketPath = env["NOTIFY_SOCKET"] ?? "";
  const watchdogMs = watchdogFrom(env);
  delete env["NOTIFY_SOCKET"];
  delete env["WATCHDOG_USEC"];
  delete env["WATCHDOG_PID"];

  const tell = (message: string): void => {
    if (socketPath === "") return;
    try {
      send(socketPath, message);
    } catch (error) {
      if (error instanceof DeployError) onError(error);
      else throw error;
    }
  };
  return {
    ready: () => tell("READY=1"),
    // A line break would begin another variable.
    status: (text) => tell(`STATUS=${text.replace(/\s*[\r\n]+\s*/g, " ")}`),
    stopping: () => tell("STOPPING=1"),
    watchdog: () => tell("WATCHDOG=1"),
    watchdogMs,
    whyLeftDown: async () => {
      const after = await startAtBoot(ownUnit());
      return after.kind === "left down" ? after.why : null;
    },
  };
}

/** WATCHDOG_PID names the process that the watchdog is for; if unset, it is for any process (sd_watchdog_enabled(3)). */
function watchdogFrom(env: Record<string, string | undefined>): number | null {
  const usec = Number(env["WATCHDOG_USEC"] ?? Number.NaN);
  const pid = env["WATCHDOG_PID"];
  if (!Number.isFinite(usec) || usec <= 0) return null;
  return pid === undefined || Number(pid) === process.pid ? usec / 1000 : null;
}

function send(socketPath: string, message: string): void {
  const address = addressOf(socketPath);
  const fd = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw notTold(socketPath, message, errno());
  try {
    const bytes = new TextEncoder().encode(message);
    const sent = libc().sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length);
    if (Number(sent) < 0) throw notTold(socketPath, message, errno());
  } finally {
    closeSync(fd);
  }
}

function notTold(socketPath: string, message: string, errorNumber: number): DeployError {
  return new DeployError(`Cannot tell the service manager "${message}" at ${socketPath}: errno ${errorNumber}.`, {
    code: "internal",
    hint: "The agent goes on; systemd may believe that it hangs and restart it.",
    retry: true,
  });
}

/** struct sockaddr_un: the family in the host's byte order, then the path; an abstract name (`@name`) begins with NUL. */
function addressOf(socketPath: string): Uint8Array {
  const path = new TextEncoder().encode(socketPath);
  const abstract = socketPath.startsWith("@");
  if (path.length >= PATH_BYTES || !/^[@/]/.test(socketPath)) {
    throw new DeployError(
      `Cannot use NOTIFY_SOCKET "${socketPath}": neither a path nor @name of under ${PATH_BYTES} bytes.`,
      {
        code: "internal",
      },
    );
  }
  if (abstract) path[0] = 0;
  const address = new Uint8Array(2 + path.length + (abstract ? 0 : 1));
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(path, 2);
  return address;
}
