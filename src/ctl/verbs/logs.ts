import { dirname, join } from "node:path";
import { buildCommand } from "@stricli/core";
import { DEFAULT_LINES, MOST_LINES } from "../../schema/log_lines.ts";
import type { AgentRecord, HostStatus } from "../../schema/znodes.ts";
import { layoutOf } from "../../steps/layout.ts";
import { readAgentOf, readStatusOf, requireHost } from "../../store/registry.ts";
import { readService } from "../../store/services.ts";
import { lastLines, oneLine } from "../../view/words.ts";
import { DeployError } from "../../core/errors.ts";
import { hostArgument, parseBuildId, serviceArgument } from "../arguments.ts";
import { exit } from "../../cli/exit.ts";
import { wholeNumber } from "../../cli/flags.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { askForLog, isAddress, isLoopback, urlOfLog, type HostAnswer, type LogQuestion } from "../host_logs.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";

const STEPS = ["restart", "install", "check"] as const;
type LogStep = (typeof STEPS)[number];

interface LogsFlags extends CommonFlags {
  readonly build: string | undefined;
  readonly step: LogStep | undefined;
  readonly lines: number | undefined;
}

export const logsVerb = buildCommand({
  docs: {
    brief: "Show what a step of a build has printed on a host",
    fullDescription: ctlDescription(
      `Shows the end of what a step has printed on a host, as the host keeps it: of the build that has
failed there, or that it serves, unless --build and --step say otherwise. It is asked for at the
host's status port. That port is on loopback unless status.listen in agent.toml says otherwise:
then, or where nothing answers, this shows the error and the end of the output that are in
ZooKeeper, and the command that shows the rest on the host itself.`,
      "deployd ctl logs web web-07",
      "deployd ctl logs web web-07 --build 9b1e0d4 --step install --lines 500",
    ),
  },
  parameters: {
    flags: {
      build: {
        kind: "parsed",
        parse: parseBuildId,
        brief: "Of which build (default: the one that failed, is being brought to it or is served)",
        placeholder: "build",
        optional: true,
      },
      step: {
        kind: "enum",
        values: STEPS,
        brief: "Of which step (default: the one that failed, or restart)",
        placeholder: "step",
        optional: true,
      },
      lines: {
        kind: "parsed",
        parse: wholeNumber(1, MOST_LINES),
        brief: `How many lines (default: ${DEFAULT_LINES})`,
        placeholder: "n",
        optional: true,
      },
      ...commonFlags,
    },
    positional: { kind: "tuple", parameters: [serviceArgument, hostArgument] },
  },
  func: ctlVerb<LogsFlags, [string, string]>(async (ctl, flags, service, host) => {
    const { connect, output, process, signal } = ctl;
    await using zk = await connect();
    await readService(zk, service, () => {});
    await requireHost(zk, service, host);
    const [status, agent] = [await readStatusOf(zk, service, host), await readAgentOf(zk, service, host)];
    const address = agent?.statusAddress ?? null;
    const ask = async (about: LogQuestion): Promise<HostAnswer> =>
      address === null
        ? { kind: "unreachable", why: "its agent is not connected" }
        : askForLog(address, about, process.clock, signal);
    let question = meant(flags, status, service, host);
    let answer = await ask(question);
    // A check that is a request prints nothing: what the service itself has printed is in the log of its restart.
    const instead = { ...question, step: "restart" };
    if (answer.kind === "none" && flags.step === undefined && question.step !== instead.step) {
      const other = await ask(instead);
      if (other.kind === "log" && other.text !== "") [question, answer] = [instead, other];
    }
    const { error, tail } = toldOf(status, question);
    const command = answer.kind === "unreachable" ? commandFor(question, address, agent) : null;
    const text = answer.kind === "log" ? answer.text : tail;
    output.answer(
      {
        schema: "deployd.ctl.logs/1",
        service,
        host,
        build: question.build,
        step: question.step,
        source: answer.kind === "log" ? "host" : "zookeeper",
        text,
        problem: answer.kind === "log" ? null : answer.kind === "none" ? answer.text : answer.why,
        error,
        command,
      },
      shown(text),
    );
    if (answer.kind === "log") {
      if (answer.text === "")
        output.note(`! ${host} has a log of ${question.step} of ${question.build}, which is empty.`);
      return exit.asked;
    }
    output.note(
      answer.kind === "none"
        ? `! ${host} has no log of ${question.step} of ${question.build}. ${oneLine(answer.text)}`
        : `! the log itself is on ${host}, which cannot be asked from here: ${oneLine(answer.why)}`,
    );
    if (error !== null) output.note(`  ${error.step} of ${error.build} failed: ${oneLine(error.message)}`);
    output.note(tail === "" ? "  ZooKeeper has no output of it." : "  What is shown is the end that ZooKeeper has.");
    if (command !== null) output.note(`  All of it: ${command}`);
    return tail === "" && error === null ? exit.failed : exit.asked;
  }),
});

/** The log that is meant, where not everything is said. */
function meant(flags: LogsFlags, status: HostStatus | null, service: string, host: string): LogQuestion {
  const error = status?.error ?? null;
  const build = flags.build ?? error?.build ?? status?.wish?.build ?? status?.build ?? null;
  if (build === null) {
    throw new DeployError(`Cannot show a log of "${service}" on "${host}": nothing was ever brought to it.`, {
      code: "nothing-to-do",
      hint: `Name the build with --build; see: deployd ctl status ${service}`,
    });
  }
  const failed = STEPS.find((step) => error?.build === build && step === error.step);
  return { service, host, build, step: flags.step ?? failed ?? "restart", lines: flags.lines ?? DEFAULT_LINES };
}

/** What ZooKeeper has of that build, and where it names the step of that step. */
function toldOf(status: HostStatus | null, { build, step }: LogQuestion): { error: HostStatus["error"]; tail: string } {
  const error = status?.error ?? null;
  if (status === null || error === null || error.build !== build) return { error: null, tail: "" };
  const isOfStep = error.step === step || !STEPS.some((name) => name === error.step);
  return { error, tail: isOfStep ? status.log : "" };
}

/** The command that shows the log on the host. */
function commandFor(question: LogQuestion, address: string | null, agent: AgentRecord | null): string {
  const { host, service, build, step, lines } = question;
  if (address !== null && isAddress(address) && isLoopback(address))
    return `ssh ${host} curl -s '${urlOfLog(address, question)}'`;
  // The lock lies in the directory in which every service has one of its own, unless its section says otherwise.
  const lock = agent?.["lock"];
  const root = typeof lock === "string" && /^[A-Za-z0-9/._-]+$/.test(lock) ? dirname(lock) : "/srv/deployd";
  return `ssh ${host} tail -n ${lines} ${layoutOf(join(root, service)).log(build, step)}`;
}

function shown(text: string): string[] {
  return text === "" ? [] : lastLines(text, Number.MAX_SAFE_INTEGER);
}
