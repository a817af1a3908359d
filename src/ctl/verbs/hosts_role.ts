import { buildCommand } from "@stricli/core";
import { roleSchema, type Role } from "../../schema/znodes.ts";
import { setRole } from "../../store/registry.ts";
import { readService } from "../../store/services.ts";
import { hostArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

export const hostsRole = buildCommand({
  docs: {
    brief: "Make a host a canary, or one of the fleet again",
    fullDescription: ctlDescription(
      "Makes a host a canary host of a service, or one of the fleet again. Canary hosts get a\nbuild first when it is deployed with --canary.",
      "deployd ctl hosts role web web-01 canary",
      "deployd ctl hosts role web web-01 fleet",
    ),
  },
  parameters: {
    flags: commonFlags,
    positional: {
      kind: "tuple",
      parameters: [
        serviceArgument,
        hostArgument,
        { brief: "canary or fleet", placeholder: "role", parse: (input: string) => parseRole(input) },
      ],
    },
  },
  func: ctlVerb<CommonFlags, [string, string, Role]>(async ({ connect, output }, _flags, service, host, role) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    const record = await setRole(zk, service, host, role);
    const document = { schema: "deployd.ctl.host/1", service, host, role: record.role, zone: record.zone ?? null };
    output.answer(document, [`${host} is a ${role} host of ${service}.`]);
    return exit.asked;
  }),
});

function parseRole(input: string): Role {
  const parsed = roleSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new Error(`a role is ${roleSchema.options.join(" or ")}`);
}
