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

/** Probes that may fail in a row while a service soaks or runs; one may be lost to a hiccup of the machine. */
export const TOLERATED_FAILURES = 1;

/** A check that has not answered by then is a failed one. */
export const LONGEST_CHECK_MS = 60_000;

/** Of the end of a log, in characters: it travels in a status of under 4 kB. */
const LAST_WORDS_CHARS = 1_500;
const LOOKED_AT_CHARS = 64 * 1024;

/** How the service is asked through what stands in front of it. */
const FRONT_EVERY_MS = 100;
const FRONT_TIMEOUT_MS = 5_000;
const ANY_GOOD_STATUS = Array.from({ length: 200 }, (_, at) => 200 + at);

/** Asks how the service is now, for whoever reads its status. One whose build has no check says it by its processes. */
export async function lookAtService(host: ServiceHost, state: ServiceState): Promise<void> {
  try {
    await host.observe();
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

/** How long after a failure, which may be a hiccup, it is asked once more. */
const AGAIN_MS = 1_000;

/** Asks how the service is that is found running for a new wish. */
export async function isIll(host: ServiceHost, state: ServiceState, signal: AbortSignal): Promise<boolean> {
  for (let failures = 1; ; failures += 1) {
    await lookAtService(host, state);
    if (state.healthy !== false) return false;
    if (failures > TOLERATED_FAILURES) return true;
    await host.machine.clock.sleep(AGAIN_MS, signal);
  }
}

/** What is wrong with each instance, in the order of the host's, for people; instances of which nothing is are left out. */
export function faultsText({ instances }: ServiceHost, faults: readonly (string | null)[]): string {
  const named = faults.flatMap((fault, at) => {
    const who = instances.length > 1 ? `instance ${instances[at]?.name ?? at}: ` : "";
    return fault === null ? [] : [`${who}${fault}`];
  });
  return named.join("; ");
}

/** Why an instance serves nobody: it has no traffic, however well it is, or it is ill; null where it serves. */
export async function faultOf(
  host: ServiceHost,
  state: ServiceState,
  instance: HostInstance,
  signal: AbortSignal,
): Promise<string | null> {
  if (host.trafficControl.off.includes(instance.name)) return "it has no traffic";
  return illnessOf(host, state, instance, signal);
}

/** Whether an instance answers its check now; one whose build has none is taken for well. */
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
  // Asked as the build that it runs would be: another build may have another check.
  const build = served?.kind === "build" ? served.build : null;
  const on = build === null ? await host.current(instance) : host.build(build, "", instance);
  if (on === null) return "nothing is installed";
  // A release that is gone, or a recipe that cannot be read: what runs cannot be asked, and is left in peace.
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
 * What runs. A start that returns before its process is what it will be (it forks, and has another program loaded) has that
 * process show nothing for a moment: the named instances have `withinMs` for it.
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
 * The request that goes through the front once traffic is on again: the one that the host's file names, else, where the
 * front is a port of this host and the check asks the instance's own, the check's on that port. Null where there is
 * nothing to ask.
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
      // A check on a port of its own speaks of something that clients do not see.
      if (Number(url.port) !== instancePort) return null;
      url.port = String(traffic.port);
      // Any instance may answer, so nothing is asked of the body: it may name the build before.
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

/** Asks until it is answered once. @throws DeployError `traffic-failed` after `timeoutMs`, `aborted` */
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

/** What the check has found, and the end of what the service has printed since, where it prints to the restart's log. */
export async function lastWords(found: string, { files, layout, build, instance }: CommandContext): Promise<string> {
  const log = layout.log(build, logLabel(instance, "restart"));
  // They are told beside a failure, and must not hide that one.
  const text = (await files.readUnlinked(log).catch(() => null)) ?? "";
  return [found, endOf(text)].filter((part) => part !== "").join("\n");
}

/** Steps by whose failure the build was started, or meant to be. */
const STARTED: ReadonlySet<string> = new Set(["restart", "check", "soak"]);

/** The failure with the last words of all instances, where what failed has printed nothing itself. */
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

/** Whole lines, unless there is but one; redacted before the cut, which could leave half a secret that nobody knows. */
function endOf(text: string): string {
  const whole = redact(text.slice(-LOOKED_AT_CHARS)).trim();
  const end = whole.slice(-LAST_WORDS_CHARS);
  return end.length < whole.length ? end.slice(end.indexOf("\n") + 1) : end;
}
