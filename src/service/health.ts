import { DeployError, isDeployError } from "../core/errors.ts";
import type { CheckSpec, ProbeSpec } from "../core/resolved_recipe.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import type { StepFailure } from "../schema/journal.ts";
import { probeOnce, probeUntilHealthy, type ProbeEffects } from "../probe/probe.ts";
import { redact } from "../support/redact.ts";
import { logLabel, probeEffectsFor, type CommandContext, type HostInstance } from "./command_context.ts";
import { notAskable } from "./asked_hosts.ts";
import { until } from "../support/wait.ts";
import type { Observation } from "./observe.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";
import { endOfLog } from "./step_failure.ts";

/** How many probes in a row may fail while a service soaks or runs; one may be lost to a hiccup of the machine. */
export const TOLERATED_FAILURES = 1;

/** A check that has not answered within this time has failed. */
export const LONGEST_CHECK_MS = 60_000;

/** How much of the end of a log is kept, in characters: it travels in a status of less than 4 kB. */
const LAST_WORDS_CHARS = 1_500;
const LOOKED_AT_CHARS = 64 * 1024;

/** How often a request is sent through what stands in front of the service. */
const FRONT_EVERY_MS = 100;
const FRONT_TIMEOUT_MS = 5_000;
const ANY_GOOD_STATUS = Array.from({ length: 200 }, (_, at) => 200 + at);

/** Finds out whether the service is healthy, for its status. Where the build has no check, its processes tell. */
export async function lookAtService(host: ServiceHost, state: ServiceState): Promise<void> {
  try {
    await host.observe();
  } catch (error) {
    state.isSeen = true;
    throw error;
  }
  await askService(host, state);
}

/** The same for what has just been observed. */
export async function askService(host: ServiceHost, state: ServiceState): Promise<void> {
  try {
    const current = await host.current();
    const check = (await current?.resolvedRecipe().catch(() => null))?.check ?? null;
    if (check === null) {
      state.healthy = null;
      state.whyIll = "";
      return;
    }
    const signal = host.machine.clock.deadline(LONGEST_CHECK_MS);
    const faults = await Promise.all(host.instances.map((each) => faultOf(host, state, each, signal)));
    state.healthy = faults.filter((fault) => fault === null).length >= host.fewest;
    state.whyIll = state.healthy ? "" : faultsText(host, faults);
  } finally {
    state.isSeen = true;
  }
}

/** How long after a failed check, which may be a hiccup, it is repeated once. */
const AGAIN_MS = 1_000;

/** Whether the service that is found running for a new wish is unhealthy. */
export async function isIll(host: ServiceHost, state: ServiceState, signal: AbortSignal): Promise<boolean> {
  for (let failures = 1; ; failures += 1) {
    await lookAtService(host, state);
    if (state.healthy !== false) return false;
    if (failures > TOLERATED_FAILURES) return true;
    await host.machine.clock.sleep(AGAIN_MS, signal);
  }
}

/** What is wrong with the instances, for people, in the order that the host lists them; healthy ones are left out. */
export function faultsText({ instances }: ServiceHost, faults: readonly (string | null)[]): string {
  const named = faults.flatMap((fault, at) => {
    const who = instances.length > 1 ? `instance ${instances[at]?.name ?? at}: ` : "";
    return fault === null ? [] : [`${who}${fault}`];
  });
  return named.join("; ");
}

/** Why an instance serves nobody: it has no traffic, however healthy it is, or it is unhealthy; null where it serves. */
export async function faultOf(
  host: ServiceHost,
  state: ServiceState,
  instance: HostInstance,
  signal: AbortSignal,
): Promise<string | null> {
  if (host.trafficControl.off.includes(instance.name)) return "it has no traffic";
  return illnessOf(host, state, instance, signal);
}

/** Whether an instance passes its check now; where its build has no check, it is assumed to be healthy. */
export async function isHealthy(
  host: ServiceHost,
  state: ServiceState,
  instance: HostInstance,
  signal: AbortSignal,
): Promise<boolean> {
  return (await illnessOf(host, state, instance, signal)) === null;
}

async function illnessOf(
  host: ServiceHost,
  state: ServiceState,
  instance: HostInstance,
  signal: AbortSignal,
): Promise<string | null> {
  const served = state.actual?.instances.find(({ name }) => name === instance.name)?.served;
  // The check is that of the build that it runs: another build may have another check.
  const build = served?.kind === "build" ? served.build : null;
  const on = build === null ? await host.current(instance) : host.build(build, "", instance);
  if (on === null) return "nothing is installed";
  // The release is gone or its recipe cannot be read, so what runs cannot be checked and is left alone.
  const check = await on.resolvedRecipe().then(
    (resolvedRecipe) => resolvedRecipe.check,
    () => null,
  );
  if (check === null) return served?.kind === "down" ? "none of its processes runs" : null;
  try {
    const result = await probeOnce(check.probe, probeEffectsFor(on.command), signal);
    return result.ok ? null : `its check failed: ${result.reason}`;
  } catch (error) {
    if (isDeployError(error) && isRunOut(signal)) return `its check gave no answer in ${LONGEST_CHECK_MS / 1000} s`;
    throw error;
  }
}

function isRunOut({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof Error && reason.name === "TimeoutError";
}

const SHOWN_POLL_MS = 50;

/**
 * Observes the service once its processes show which build they run. A process that its start command has left behind may
 * show nothing for a moment, until it has forked or loaded another program; the named instances are given `withinMs` for
 * that.
 */
export async function untilShown(
  host: ServiceHost,
  names: readonly string[],
  withinMs: number,
  signal: AbortSignal,
): Promise<Observation> {
  const allShow = ({ actual }: Observation): boolean =>
    actual.instances.every(({ name, served }) => served.kind !== "down" || !names.includes(name));
  return until(() => host.observe(), allShow, { everyMs: SHOWN_POLL_MS, withinMs }, host.machine.clock, signal);
}

/** @throws DeployError `check-failed` with the last answer, `aborted` */
export async function untilHealthy(check: CheckSpec, command: CommandContext, signal: AbortSignal): Promise<void> {
  const health = await probeUntilHealthy(
    {
      spec: check.probe,
      intervalMs: check.intervalMs,
      successes: check.successes,
      minHealthyMs: check.minHealthyMs,
      deadlineMs: check.deadlineMs,
      signal,
    },
    probeEffectsFor(command),
  );
  if (health.kind === "healthy") return;
  const { last } = health;
  const who = command.instance === null || command.instance.alone ? "" : ` on instance ${command.instance.name}`;
  const log = command.layout.log(command.build, logLabel(command.instance, "restart"));
  if (!last.ok && last.isForbidden === true) throw notAskable(last, command);
  const found = last.ok ? "the last one passed, but not often enough in a row" : last.reason;
  throw new DeployError(
    `Cannot call "${command.build}"${who} healthy: ${health.attempts} checks in ${check.deadlineMs / 1000} s, ${found}.`,
    {
      code: "check-failed",
      hint: `Look at the service's own log, and at ${log}.`,
      cause: { tail: await lastWords(last.ok ? "" : (last.detail ?? ""), command) },
    },
  );
}

/**
 * The request that is sent through the front once traffic is on again: `traffic.probe` of agent.toml; otherwise, where
 * the front is a port of this host and the check asks the instance's own port, the check's request sent to the front's
 * port. Null where there is nothing to ask.
 */
export function frontProbe(
  traffic: ServiceConfig["traffic"],
  check: CheckSpec | null,
  instancePort: number | null,
): ProbeSpec | null {
  if (traffic.probe !== undefined) return probeOf(traffic.probe);
  if (!("port" in traffic) || check === null) return null;
  const { probe } = check;
  switch (probe.kind) {
    case "http": {
      const url = new URL(probe.url);
      // A check on a port of its own says nothing about what clients see.
      if (Number(url.port) !== instancePort) return null;
      url.port = String(traffic.port);
      // Any instance may answer, so the body is not compared: it may name the previous build.
      return { kind: "http", url: url.href, expectStatus: probe.expectStatus, timeoutMs: probe.timeoutMs };
    }
    case "tcp":
      return probe.port === instancePort ? { ...probe, port: traffic.port } : null;
    case "command":
      return null;
  }
}

function probeOf(named: string): ProbeSpec {
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(named);
  if (tcp !== null) {
    return { kind: "tcp", host: tcp[1] ?? tcp[2] ?? "", port: Number(tcp[3]), timeoutMs: FRONT_TIMEOUT_MS };
  }
  return { kind: "http", url: named, expectStatus: ANY_GOOD_STATUS, timeoutMs: FRONT_TIMEOUT_MS };
}

/** Repeats the request until it succeeds once. @throws DeployError `traffic-failed` after `timeoutMs`, `aborted` */
export async function probeFront(spec: ProbeSpec, timeoutMs: number, effects: ProbeEffects, signal: AbortSignal) {
  const health = await probeUntilHealthy(
    {
      spec,
      intervalMs: FRONT_EVERY_MS,
      successes: 1,
      minHealthyMs: 0,
      deadlineMs: timeoutMs,
      signal,
    },
    effects,
  );
  if (health.kind === "healthy") return;
  const asked = spec.kind === "http" ? spec.url : spec.kind === "tcp" ? `${spec.host}:${spec.port}` : spec.run;
  throw new DeployError(
    `Cannot see the service behind ${asked}: ${health.attempts} requests in ${timeoutMs / 1000} s, ` +
      `the last one: ${health.last.ok ? "passed" : health.last.reason}.`,
    {
      code: "traffic-failed",
      hint: "The instance itself is healthy; look at traffic.probe in the agent's file and at what stands in front.",
    },
  );
}

/** What the check found, and the end of what the service has printed since, where it prints to the restart's log. */
export async function lastWords(found: string, { files, layout, build, instance }: CommandContext): Promise<string> {
  const log = layout.log(build, logLabel(instance, "restart"));
  // These words are shown beside a failure; when they cannot be read, that must not hide the failure.
  const text = (await files.readUnlinked(log).catch(() => null)) ?? "";
  return [found, endOf(text)].filter((part) => part !== "").join("\n");
}

/** The steps that can only fail once the build was started, or was about to be. */
const STARTED: ReadonlySet<string> = new Set(["restart", "check", "soak"]);

/** The failure with the last output of all instances, where the failed step has printed nothing itself. */
export async function withLastWords(
  failure: StepFailure,
  { build, deploy }: { readonly build: string; readonly deploy: string },
  host: ServiceHost,
): Promise<StepFailure> {
  if (failure.log !== "" || !STARTED.has(failure.step)) return failure;
  const words = await Promise.all(
    host.instances.map((instance) => lastWords("", host.build(build, deploy, instance).command)),
  );
  return { ...failure, log: endOfLog(words.filter((each) => each !== "").join("\n")) };
}

/** The last whole lines, or the end of the only one. Redacted first: the cut could leave an unrecognisable half of a secret. */
function endOf(text: string): string {
  const whole = redact(text.slice(-LOOKED_AT_CHARS)).trim();
  const end = whole.slice(-LAST_WORDS_CHARS);
  return end.length < whole.length ? end.slice(end.indexOf("\n") + 1) : end;
}
