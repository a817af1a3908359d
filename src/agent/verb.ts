import { buildCommand } from "@stricli/core";
import { exit } from "../cli/exit.ts";
import { anyText, isGiven } from "../cli/flags.ts";
import { description } from "../cli/help.ts";
import type { Process } from "../cli/process.ts";
import { verb } from "../cli/verb.ts";
import { DEFAULT_CONFIG } from "./config_file.ts";
import type { AgentFlags, AgentProcess } from "./start.ts";

export const agent = buildCommand({
  docs: {
    brief: "Follow the wish on this host",
    fullDescription: description({
      what: `Follows this host's wishes in ZooKeeper and brings its services to the wished builds. One agent runs on every host.
It runs until it is told to stop, by SIGTERM or SIGINT, and finishes the step that it is in.`,
      examples: ["deployd agent", `deployd agent --config ${DEFAULT_CONFIG} --check`],
      exits: {
        [exit.asked]: "it was told to stop; with --check, the file is valid",
        [exit.failed]: "it cannot start, or failed",
        [exit.usage]: "wrong usage, or the file is missing or wrong",
      },
    }),
  },
  parameters: {
    flags: {
      config: {
        kind: "parsed",
        parse: anyText,
        brief: "The host's own settings; DEPLOYD_* variables override them",
        placeholder: "file",
        default: DEFAULT_CONFIG,
      },
      check: isGiven("Read the file, say what is wrong with it, and stop"),
    },
  },
  func: verb<Process & AgentProcess, AgentFlags, []>(async ({ process, output }, flags) => {
    const { startAgent } = await import("./start.ts");
    return startAgent(flags, process, output);
  }),
});
