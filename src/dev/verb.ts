import { buildCommand } from "@stricli/core";
import { exit } from "../cli/exit.ts";
import { anyText, isGiven, wholeNumber } from "../cli/flags.ts";
import { description } from "../cli/help.ts";
import type { Process } from "../cli/process.ts";
import { verb } from "../cli/verb.ts";
import type { SampleFlags } from "./sample_service.ts";
import type { DevFlags } from "./try_out.ts";

/** What `deployd dev` additionally needs of the operating system. */
export interface DevProcess {
  /** Calls back on SIGTERM and SIGINT. */
  onSignal(listener: () => void): void;
}

export const dev = buildCommand({
  docs: {
    brief: "The whole thing on this machine, to try it",
    fullDescription: description({
      what: `Runs the whole thing on this machine: a ZooKeeper in memory, hosts as real agent processes with
directories of their own, and a sample HTTP service with three builds. Piped, it plays a story
from the first deploy to a rollback; on a terminal it keeps running and suggests verbs to try
in a second one. For trying out only, never for production.`,
      examples: ["deployd dev --hosts 3", "deployd dev --story"],
      exits: {
        [exit.asked]: "the story went as it should, or Ctrl-C has ended it",
        [exit.failed]: "the story went wrong, or something cannot be started",
      },
    }),
  },
  parameters: {
    flags: {
      hosts: {
        kind: "parsed",
        parse: wholeNumber(1, 100),
        brief: "How many hosts; the first one is the canary",
        placeholder: "n",
        default: "8",
      },
      story: isGiven("Play the story on a terminal too"),
      zookeeperPort: {
        kind: "parsed",
        parse: wholeNumber(0, 65_535),
        brief: "Where the ZooKeeper listens on loopback (default: a free port)",
        placeholder: "port",
        optional: true,
      },
    },
  },
  func: verb<Process, DevFlags, []>(async ({ process: { stdoutIsTerminal, clock, signal }, output }, flags) => {
    const { tryOut } = await import("./try_out.ts");
    return tryOut(flags, { print: (line) => output.lines([line]), stdoutIsTerminal, clock, signal });
  }),
});

const required = { kind: "parsed", parse: anyText } as const;

/** The service that the hosts of `deployd dev` run; it has no other use. */
export const sampleService = buildCommand({
  docs: {
    brief: "The service that deployd dev deploys",
    fullDescription: description({
      what: "Runs the service that `deployd dev` deploys, until it is told to stop.",
      examples: ["deployd sample-service --port 8080 --release ./current --pid-file ./pid"],
      exits: { [exit.asked]: "it was told to stop", [exit.failed]: "failed" },
    }),
  },
  parameters: {
    flags: {
      port: { ...required, parse: wholeNumber(0, 65_535), brief: "Where it listens on loopback", placeholder: "port" },
      release: { ...required, brief: "The directory that has its greeting.txt", placeholder: "directory" },
      pidFile: { ...required, brief: "Where it leaves its process id", placeholder: "file" },
    },
  },
  func: verb<DevProcess & Process, SampleFlags, []>(async ({ process }, flags) => {
    const { serveSample } = await import("./sample_service.ts");
    return serveSample(flags, (listener) => process.onSignal(listener));
  }),
});
