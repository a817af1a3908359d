import { buildCommand } from "@stricli/core";
import { DEFAULT_CONFIG } from "../agent/config_file.ts";
import { exit } from "../cli/exit.ts";
import { anyText, jsonFlag, type JsonFlag } from "../cli/flags.ts";
import { description } from "../cli/help.ts";
import type { Process } from "../cli/process.ts";
import { verb } from "../cli/verb.ts";

interface DoctorFlags extends JsonFlag {
  readonly config: string | undefined;
}

export const doctor = buildCommand({
  docs: {
    brief: "What this host can do, and what is missing",
    fullDescription: description({
      what: `Says in which ways this host can restart services and keep traffic from them meanwhile, and
what is missing. It changes nothing. Run it as the user that the agent runs as.`,
      examples: ["deployd doctor", `deployd doctor --config ${DEFAULT_CONFIG} --json`],
      exits: {
        [exit.asked]: "nothing is missing that the services of the agent's file need",
        [exit.failed]: "a service needs something that this host lacks, or nothing starts the agent after a reboot",
        [exit.usage]: "wrong usage, or the agent's file is missing or wrong",
      },
    }),
  },
  parameters: {
    flags: {
      config: {
        kind: "parsed",
        parse: anyText,
        brief: `The agent's file, whose services are checked too (default: ${DEFAULT_CONFIG}, if it exists)`,
        placeholder: "file",
        optional: true,
      },
      json: jsonFlag,
    },
  },
  func: verb<Process, DoctorFlags, []>(async ({ process, output }, { config }) => {
    const { examine, examinationLines } = await import("./examine.ts");
    const { examination, lacksSomething } = await examine(config, process);
    output.answer({ schema: "deployd.doctor/1", ...examination }, examinationLines(examination));
    return lacksSomething ? exit.failed : exit.asked;
  }),
});
