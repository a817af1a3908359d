import { DeployError } from "../core/errors.ts";
import type { Instance, TrafficSpec } from "../core/traffic.ts";
import { until } from "../support/wait.ts";
import {
  adminState,
  type HaproxyBackend,
  type ServerState,
  serverStates,
  setServer,
  statistics,
  type StatRow,
} from "./haproxy_api.ts";
import type { Traffic, TrafficEffects } from "./effects.ts";

type HaproxySpec = Extract<TrafficSpec, { by: "haproxy" }>;

/** How often HAProxy is polled for whether a server is up, in milliseconds; its own checks run about every two seconds. */
const POLL_MS = 50;

/**
 * Drains servers of an HAProxy on this host by its runtime API. Clients keep their connections to HAProxy, so nothing is
 * lost whether or not the service cooperates. A server that a person has put into maintenance stays there. HAProxy
 * forgets a drain when it is reloaded, unless it is configured to keep its servers' state (load-server-state-from-file).
 *
 * @throws DeployError `config-invalid` if the server's name contains an unknown variable
 */
export function haproxyTraffic(
  spec: HaproxySpec,
  service: string,
  instances: readonly Instance[],
  effects: TrafficEffects,
  timeoutMs: number,
): Traffic {
  const at = { socket: spec.socket, backend: spec.backend, timeoutMs };
  const servers = new Map(instances.map(({ name }) => [name, serverName(spec.server, service, name)]));

  const serverOf = (instance: string): string => {
    const server = servers.get(instance);
    if (server !== undefined) return server;
    throw unknownServer(at, instance, [...servers.keys()]);
  };

  const steer = async (on: readonly string[], signal: AbortSignal): Promise<void> => {
    const states = await serverStates(at, effects, signal);
    const wanted = new Set(on.map(serverOf));
    const all = [...servers.values()].map((server) => stateOf(at, states, server));
    // HAProxy has no transactions: servers are switched on before others are switched off, so that one is always on.
    for (const state of all) {
      if (wanted.has(state.name) && adminState(state) === "forced-drain") {
        await setServer(at, state.name, "ready", effects, signal);
      }
    }
    for (const state of all) {
      // "drain" would end the maintenance, in which the server gets no traffic either.
      const is = adminState(state);
      if (!wanted.has(state.name) && is !== "forced-drain" && is !== "forced-maint") {
        await setServer(at, state.name, "drain", effects, signal);
      }
    }
  };

  const rows = async (signal: AbortSignal): Promise<StatRow[]> => {
    const [first] = await serverStates(at, effects, signal);
    return first === undefined ? [] : await statistics(at, first.backendId, effects, signal);
  };

  return {
    steer,
    taken: async (names, limitMs, signal) => {
      await waitUntilTaken(at, names.map(serverOf), limitMs, effects, signal);
    },
    busy: async (instance, signal) => {
      const server = serverOf(instance);
      const all = await rows(signal);
      const row = all.find(({ name }) => name === server);
      if (row === undefined) throw unknownServer(at, server, names(all));
      return row.currentSessions + row.queued;
    },
    refused: async (signal) => {
      // The backend's own row adds up its servers and includes requests that found no server at all.
      const row = (await rows(signal)).find(({ name }) => name === BACKEND_ROW);
      return row?.connectionErrors ?? null;
    },
    remove: (signal) => steer([...servers.keys()], signal),
  };
}

/** HAProxy's name for the row of the backend as a whole. */
const BACKEND_ROW = "BACKEND";

function serverName(template: string, service: string, instance: string): string {
  const name = template
    .replaceAll("${DEPLOYD_SERVICE}", () => service)
    .replaceAll("${DEPLOYD_INSTANCE}", () => instance);
  if (!name.includes("$")) return name;
  throw new DeployError(
    `Cannot name the HAProxy server of ${service}@${instance}: "${name}" has an unknown variable.`,
    {
      code: "config-invalid",
      hint: "Use only ${DEPLOYD_SERVICE} and ${DEPLOYD_INSTANCE} in the server's name.",
    },
  );
}

async function waitUntilTaken(
  at: HaproxyBackend,
  servers: readonly string[],
  limitMs: number,
  effects: TrafficEffects,
  signal: AbortSignal,
): Promise<void> {
  const firstNotTaken = async (): Promise<ServerState | undefined> => {
    const states = await serverStates(at, effects, signal);
    // Only a person ends a maintenance that a person began; such a server is not waited for.
    return servers
      .map((server) => stateOf(at, states, server))
      .find((state) => !isTaken(state) && adminState(state) !== "forced-maint");
  };
  const when = { everyMs: POLL_MS, withinMs: limitMs };
  const left = await until(firstNotTaken, (state) => state === undefined, when, effects.clock, signal);
  if (left !== undefined) throw notTaken(at, left, limitMs);
}

/** "Starting" means that the server is in its slowstart: it is up and its share is growing. */
function isTaken(state: ServerState): boolean {
  return (state.operational === 1 || state.operational === 2) && adminState(state) === "ready";
}

function notTaken(at: HaproxyBackend, state: ServerState, limitMs: number): DeployError {
  const operational = ["stopped", "starting", "running", "stopping"][state.operational] ?? `state ${state.operational}`;
  return new DeployError(
    `Cannot give ${at.backend}/${state.name} traffic again: after ${limitMs} ms HAProxy has it as ${operational}, ` +
      `${adminState(state)}.`,
    {
      code: "traffic-failed",
      hint: "Does HAProxy's own check of the server pass? See the columns check_status and last_chk of its statistics.",
      retry: true,
    },
  );
}

function stateOf(at: HaproxyBackend, states: readonly ServerState[], server: string): ServerState {
  const state = states.find(({ name }) => name === server);
  if (state === undefined) throw unknownServer(at, server, names(states));
  return state;
}

function names(all: readonly { readonly name: string }[]): string[] {
  return all.map(({ name }) => name).filter((name) => name !== BACKEND_ROW);
}

function unknownServer(at: HaproxyBackend, server: string, known: readonly string[]): DeployError {
  return new DeployError(
    `Cannot steer the traffic of ${at.backend}/${server}: HAProxy's backend has only ${known.join(", ")}.`,
    { code: "traffic-failed", hint: "Name the servers in the agent's file as HAProxy's configuration does." },
  );
}
