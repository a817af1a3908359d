import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { digestOfFile } from "../fetch/digest.ts";
import { download } from "../fetch/download.ts";
import { unpackArchive } from "../fetch/tree/unpack.ts";
import type { Machine } from "../machine/machine.ts";
import type { Processes } from "../machine/processes.ts";
import type { ServiceManager } from "../machine/service_manager.ts";
import { probeHttp } from "../probe/http.ts";
import { post } from "../probe/post.ts";
import { postNotice } from "../probe/post_notice.ts";
import { reach, type HostNames } from "../probe/reach.ts";
import { probeTcp } from "../probe/tcp.ts";
import type { Clock } from "../support/clock.ts";
import { countOpen, openAt, readTcpTables } from "../traffic/open_connections.ts";
import { trafficFor } from "../traffic/traffic.ts";
import { tcpDial } from "../zookeeper/dial.ts";
import { bootId } from "./boot_id.ts";
import { hostDisk } from "./disk.ts";
import { readIfThere } from "./read_text.ts";
import { acquireLock } from "./lock.ts";
import { endLeftRunning, runCommand } from "./processes.ts";
import { processesOf, processFact } from "./scan.ts";
import { descendantsOf } from "./scan_proc.ts";
import { serve, type PortWords } from "./serve.ts";
import { usableHome, userByName } from "./users.ts";
import { listens, socketInodesOf } from "./process_sockets.ts";
import { trafficEffects } from "./traffic_effects.ts";
import { systemTrust } from "./system_trust.ts";

const STATUS_PORT: PortWords = {
  what: "the status port",
  hint: "Set status.listen (or DEPLOYD_STATUS_LISTEN) to a free address of this machine, as in 127.0.0.1:9876.",
};

/**
 * This host, as an agent acts on it.
 *
 * @param env variables that name the trusted certificate authorities
 */
export function hostMachine(
  clock: Clock,
  manager: ServiceManager,
  env: Readonly<Record<string, string | undefined>>,
): Machine {
  const traffic = trafficEffects(clock);
  const trust = systemTrust(env);
  const asked = { clock, names: hostNames, trust };
  return {
    clock,
    manager,
    disk: hostDisk,
    processes: hostProcesses(clock),
    commands: { run: (request) => runCommand(request, clock), user: userByName, usableHome },
    archive: {
      digest: (path, signal) => digestOfFile(path, clock, signal),
      unpack: (request) => unpackArchive({ ...request, clock }),
    },
    probes: {
      mayAsk: async (host, asking) => {
        const reached = await reach(host, asking, hostNames);
        return "failure" in reached && reached.failure.isForbidden === true ? reached.failure : null;
      },
      http: (spec, signal, asking) => probeHttp(spec, signal, asking, asked),
      tcp: (spec, signal, asking) => probeTcp(spec, signal, asking, asked),
      post: (url, signal, asking) => post(url, signal, asking, asked),
    },
    traffic: {
      backend: (spec, service, instances, timeoutMs) => trafficFor(spec, service, instances, traffic, timeoutMs),
      openAt: (port) => openAt(port, traffic),
    },
    lock: { acquire: acquireLock },
    network: {
      dial: tcpDial(clock),
      download: (request) => download(request, { clock, trust }),
      serve: (answer, listen) => serve(answer, listen, clock, STATUS_PORT),
      post: (request, signal) => postNotice(request, signal, asked),
    },
    bootId: bootId(),
    pid: process.pid,
    isRoot: process.geteuid?.() === 0,
  };
}

function hostProcesses(clock: Clock): Processes {
  return {
    of: (service) => processesOf(service, clock),
    fact: (pid) => processFact(pid, clock),
    kill: (pid, signal) => void process.kill(pid, signal),
    descendants: (pid) => descendantsOf(pid, clock),
    listens,
    openConnections: async (pids) =>
      countOpen(await readTcpTables({ read: readIfThere }), { inodes: await socketInodesOf(pids) }),
    endMarked: (marker, uid) => endLeftRunning(marker, uid, clock),
  };
}

/** Resolves names as this host does, including /etc/hosts. */
export const hostNames: HostNames = {
  lookup: async (name) => (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address),
  own: () => Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
};
