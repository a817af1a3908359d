import { buildCommand } from "@stricli/core";
import { ServiceMirror } from "../../store/mirror.ts";
import { healthText, hostRows, hostSign } from "../../view/host.ts";
import { statusesByServersClock } from "../../view/overview.ts";
import { oneLine } from "../../view/words.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { toned } from "../../cli/paint.ts";
import { table } from "../../cli/table.ts";

export const hostsList = buildCommand({
  docs: {
    brief: "List the hosts of a service",
    fullDescription: ctlDescription(
      "Lists the hosts that have registered for a service: role, agent, and the build each serves.",
      "deployd ctl hosts list web",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument] } },
  func: ctlVerb<CommonFlags, [string]>(async ({ connect, output }, _flags, service) => {
    await using zk = await connect();
    const read = await ServiceMirror.look(zk, service, ["settings", "hosts", "statuses", "agents"]);
    const { agents } = read;
    const problems = (["settings", "hosts", "statuses"] as const).flatMap((section) => read.problemsIn(section));
    const unreadable = [...read.unreadable.hosts].toSorted();
    const rows = hostRows({ hosts: read.hosts, agents, statuses: statusesByServersClock(read) }).toSorted((a, b) =>
      a.host.localeCompare(b.host, "en", { numeric: true }),
    );
    const { paint } = output;
    const damaged = unreadable.map((host) => [
      paint.bad("✗"),
      oneLine(host),
      paint.bad("unreadable"),
      "-",
      "-",
      "-",
      "-",
      "-",
    ]);
    const cells = rows.map((row) => [
      toned(paint, hostSign(row).tone, hostSign(row).glyph),
      oneLine(row.host),
      row.role,
      row.zone ?? "-",
      row.status?.build ?? "-",
      hostSign(row).word,
      toned(paint, healthText(row).tone, healthText(row).word),
      oneLine(agents.get(row.host)?.version ?? "-"),
    ]);
    output.answer(
      {
        schema: "deployd.ctl.hosts/1",
        service,
        hosts: rows.map(({ host, role, zone, connected, status }) => ({
          host,
          role,
          zone,
          connected,
          build: status?.build ?? null,
          step: status?.step ?? null,
          health: status?.health ?? null,
          ill: status?.ill ?? null,
          ...(status?.leaving === undefined ? {} : { leaving: status.leaving }),
          agent_version: agents.get(host)?.version ?? null,
        })),
        ...(unreadable.length === 0 ? {} : { unreadable }),
        ...(problems.length === 0 ? {} : { problems }),
      },
      [
        ...(rows.length === 0 && problems.length === 0
          ? [
              `No host has registered for "${service}" yet. A host does when its agent starts with the service in its agent.toml.`,
            ]
          : table([
              ["", "HOST", "ROLE", "ZONE", "BUILD", "STEP", "HEALTH", "AGENT"].map(paint.dim),
              ...damaged,
              ...cells,
            ])),
        ...problems.map((problem) => `! ${oneLine(problem)}`),
      ],
    );
    return exit.asked;
  }),
});
