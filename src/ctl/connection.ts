import { DeployError } from "../core/errors.ts";
import { assertFormat } from "../store/format.ts";
import { throwIfAborted } from "../support/abort.ts";
import { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { parseConnectString, serverName } from "../zookeeper/connect_string.ts";
import { diagnose } from "./diagnose.ts";
import type { CommonFlags } from "./flags.ts";
import type { CtlProcess } from "./process.ts";

const DEFAULT_CHROOT = "/deployd";
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const SESSION_TIMEOUT_MS = 10_000;

/** Where deployd's tree is and how to get in. */
export interface TreeAddress {
  /** `host:port,host:port` without the chroot. */
  readonly servers: string;
  readonly chroot: string;
  readonly connectTimeoutMs: number;
  /** `user:password`. */
  readonly digest: string | undefined;
}

/** @throws DeployError `usage` when no flag or variable says where ZooKeeper is, or its value cannot be parsed */
export function addressFrom(flags: CommonFlags, env: CtlProcess["env"]): TreeAddress {
  const servers = flags.zookeeper ?? env["DEPLOYD_ZOOKEEPER"] ?? "";
  if (servers.trim() === "") {
    throw new DeployError("Cannot connect to ZooKeeper: nothing says where it is.", {
      code: "usage",
      hint: "Set DEPLOYD_ZOOKEEPER, as in DEPLOYD_ZOOKEEPER=zk1:2181,zk2:2181, or give --zookeeper.",
    });
  }
  if (servers.includes("/")) {
    throw new DeployError(`Cannot read "${servers}" as a list of ZooKeeper servers: it has a path in it.`, {
      code: "usage",
      hint: "Give the path as --chroot, or set DEPLOYD_CHROOT.",
    });
  }
  const chroot = flags.chroot ?? nonEmpty(env["DEPLOYD_CHROOT"]) ?? DEFAULT_CHROOT;
  if (!chroot.startsWith("/")) {
    throw new DeployError(`Cannot use "${chroot}" as the chroot: it does not begin with a slash.`, {
      code: "usage",
      hint: `Write it as --chroot /${chroot}, or set DEPLOYD_CHROOT to that.`,
    });
  }
  try {
    parseConnectString(servers + chroot);
  } catch (error) {
    throw new DeployError(error instanceof Error ? error.message : String(error), {
      code: "usage",
      hint: "Servers are written host:port,host:port and the chroot /path.",
      cause: error,
    });
  }
  const digest = nonEmpty(env["DEPLOYD_ZOOKEEPER_DIGEST"]);
  if (digest !== undefined && !/^[^:]+:.+$/.test(digest)) {
    throw new DeployError("Cannot use DEPLOYD_ZOOKEEPER_DIGEST: it is not user:password.", {
      code: "usage",
      hint: "Set it to the user, a colon, and the password in clear text.",
    });
  }
  const connectTimeoutMs =
    flags.connectTimeoutS === undefined ? DEFAULT_CONNECT_TIMEOUT_MS : flags.connectTimeoutS * 1000;
  return { servers, chroot, connectTimeoutMs, digest };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : value;
}

/**
 * A connected client that is closed when `signal` is aborted, so that whatever waits for an answer ends at once.
 *
 * @param chroot the subtree to stay in; the address's unless given
 * @throws DeployError `zookeeper-unreachable` after the address's connect timeout, naming every server and what it did
 */
export async function openZooKeeper(
  address: TreeAddress,
  signal: AbortSignal,
  process: Pick<CtlProcess, "clock" | "dial">,
  chroot: string = address.chroot,
): Promise<ZooKeeper> {
  const { clock, dial } = process;
  const zk = new ZooKeeper({
    clock,
    ...(dial === undefined ? {} : { dial }),
    servers: address.servers + (chroot === "/" ? "" : chroot),
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    operationTimeoutMs: Math.max(SESSION_TIMEOUT_MS, address.connectTimeoutMs),
    auth: address.digest === undefined ? [] : [{ scheme: "digest", credentials: address.digest }],
  });
  const close = (): void => void zk.close();
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  const stop = zk.onState((state) => {
    if (state.kind === "closed") {
      signal.removeEventListener("abort", close);
      stop();
    }
  });
  const late = clock.deadline(address.connectTimeoutMs);
  try {
    await zk.connected({ signal: late });
    return zk;
  } catch (error) {
    await zk.close();
    throwIfAborted(signal, "connect to ZooKeeper");
    throw await connectError(error, address, process);
  }
}

/**
 * Like `openZooKeeper`, for work with deployd's tree.
 *
 * @throws DeployError `format-unknown` when the tree has another format
 */
export async function openTree(address: TreeAddress, signal: AbortSignal, process: CtlProcess): Promise<ZooKeeper> {
  const zk = await openZooKeeper(address, signal, process);
  try {
    await assertFormat(zk, process.version);
    return zk;
  } catch (error) {
    await zk.close();
    throwIfAborted(signal, "connect to ZooKeeper");
    throw error;
  }
}

async function connectError(
  error: unknown,
  address: TreeAddress,
  { clock, dial }: Pick<CtlProcess, "clock" | "dial">,
): Promise<unknown> {
  if (isZooKeeperError(error, "AUTH_FAILED")) {
    return new DeployError(`Cannot connect to ZooKeeper at ${address.servers}: it refused the credentials.`, {
      code: "zookeeper-unreachable",
      hint: "Check DEPLOYD_ZOOKEEPER_DIGEST.",
      cause: error,
    });
  }
  if (!isZooKeeperError(error, "ABORTED")) return error;
  const { servers } = parseConnectString(address.servers);
  // Servers that are not dialled over TCP cannot be diagnosed further.
  const found = dial === undefined ? await diagnose(servers, clock) : servers.map(serverName);
  return new DeployError(
    `Cannot connect to ZooKeeper: none of its servers gave a session within ${address.connectTimeoutMs / 1000} s (${found.join("; ")}).`,
    {
      code: "zookeeper-unreachable",
      hint: "Check that ZooKeeper is up, and that --zookeeper or DEPLOYD_ZOOKEEPER names it.",
      retry: true,
      cause: error,
    },
  );
}
