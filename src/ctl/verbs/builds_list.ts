import { buildCommand } from "@stricli/core";
import type { BuildRecord } from "../../schema/znodes.ts";
import { listBuilds } from "../../store/builds.ts";
import { readHead } from "../../store/deploys.ts";
import { readService } from "../../store/services.ts";
import { maskedUrl } from "../../support/secret_url.ts";
import { dateTime } from "../../view/times.ts";
import { byteSize, oneLine } from "../../view/words.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { table } from "../../cli/table.ts";

export const buildsList = buildCommand({
  docs: {
    brief: "List the builds of a service",
    fullDescription: ctlDescription(
      "Lists the builds of a service, newest first, and where each is wished for.",
      "deployd ctl builds list web",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument] } },
  func: ctlVerb<CommonFlags, [string]>(async ({ connect, output }, _flags, service) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    const problems: string[] = [];
    const [builds, head] = await Promise.all([
      listBuilds(zk, service, (problem) => problems.push(problem)),
      readHead(zk, service),
    ]);
    const newestFirst = builds.toReversed();
    const enabled = (id: string): string[] => [
      ...(head.enabled.value?.build === id ? ["fleet"] : []),
      ...(head.canary?.value?.build === id ? ["canary"] : []),
    ];
    const { paint } = output;
    const rows = newestFirst.map(({ id, record }) => [
      paint.bold(oneLine(id)),
      dateTime(record.time),
      byteSize(record.size),
      record.digest.slice("sha256:".length, "sha256:".length + 12),
      oneLine(record.commit ?? "-"),
      oneLine(record.author ?? "-"),
      enabled(id).join(", ") || "-",
      oneLine(maskedUrl(record.url)),
      barredText(record, paint.bad),
    ]);
    const titles = ["BUILD", "ADDED", "SIZE", "SHA256", "COMMIT", "AUTHOR", "ENABLED", "URL", "BARRED"];
    output.answer(
      {
        schema: "deployd.ctl.builds/1",
        service,
        builds: newestFirst.map(({ id, record }) => ({
          build: id,
          ...record,
          // An older ctl accepted any URL, even one with a secret in it.
          url: maskedUrl(record.url),
          enabled: enabled(id),
        })),
        ...(problems.length === 0 ? {} : { problems }),
      },
      [
        ...(rows.length === 0 && problems.length === 0
          ? [`No builds of "${service}" yet. Add one with: deployd ctl builds add ${service} FILE --build ID`]
          : table([titles.map(paint.dim), ...rows])),
        ...problems.map((problem) => `! ${oneLine(problem)}`),
      ],
    );
    return exit.asked;
  }),
});

function barredText({ barred }: BuildRecord, paint: (text: string) => string): string {
  if (barred === undefined) return "";
  return paint(`by ${oneLine(barred.who)}${barred.why === "" ? "" : `: ${oneLine(barred.why)}`}`);
}
