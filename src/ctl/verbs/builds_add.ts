import { buildCommand } from "@stricli/core";
import { digest as digestSchema, type Digest } from "../../schema/names.ts";
import type { BuildRecord } from "../../schema/znodes.ts";
import { addBuild, type Added } from "../../store/builds.ts";
import { readService } from "../../store/services.ts";
import { maskedUrl } from "../../support/secret_url.ts";
import { byteSize } from "../../view/words.ts";
import { parseBuildId, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { anyText, matching, wholeNumber } from "../../cli/flags.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { newBuild } from "../new_build.ts";

interface BuildsAddFlags extends CommonFlags {
  readonly build: string | undefined;
  readonly url: string | undefined;
  readonly digest: Digest | undefined;
  readonly size: number | undefined;
  readonly strip: 0 | 1 | undefined;
  readonly commit: string | undefined;
  readonly author: string | undefined;
}

const optional = { kind: "parsed", optional: true } as const;

function zeroOrOne(input: string): 0 | 1 {
  if (input === "0" || input === "1") return input === "1" ? 1 : 0;
  throw new Error("only the archive's single top directory can be stripped: 1, or 0 to keep it");
}

export const buildsAdd = buildCommand({
  docs: {
    brief: "Add a build",
    fullDescription: ctlDescription(
      `Adds a build to a service: where its archive is fetched from, its digest and its size. A
file is read here, all of it and as hosts read it: a file that no host would accept is
refused, with what to do about it. Hosts fetch it from --url, or from the same path on their
own disk when that is left out. A URL without a file is not fetched here: its digest and size
are taken as given, and hosts verify them. Everybody can read the URL: one that contains a
password, a signature or a token is refused, because hosts log in by their own agent.toml.
The manifest that deployd pack wrote beside the file (FILE.manifest.json) gives the id and
must agree with the file. A build never changes: adding another file under the same id is
refused. Adding the same file with another --url changes where hosts fetch it. An archive that
lies in one directory, as npm pack and git archive --prefix make it, is added with --strip 1.`,
      "deployd ctl builds add web web.tar.zst --build 9b1e0d4 --url https://builds.example/web.tar.zst",
      "deployd ctl builds add web https://builds.example/web.tar.zst --build 9b1e0d4 --digest sha256:… --size 48213",
      "deployd ctl builds add web web-1.4.0.tgz --build 1.4.0 --strip 1 --url https://builds.example/web-1.4.0.tgz",
    ),
  },
  parameters: {
    flags: {
      build: {
        ...optional,
        parse: parseBuildId,
        brief: "Id of the build (default: that of the manifest beside the file)",
        placeholder: "id",
      },
      url: {
        ...optional,
        parse: anyText,
        brief: "Where hosts fetch the file from (default: the same path on their own disk)",
        placeholder: "url",
      },
      digest: {
        ...optional,
        parse: matching(digestSchema),
        brief: "sha256: and 64 hexadecimal digits, needed with a URL alone (default: that of the file)",
        placeholder: "digest",
      },
      size: {
        ...optional,
        parse: wholeNumber(0),
        brief: "Bytes, needed with a URL alone (default: those of the file)",
        placeholder: "bytes",
      },
      strip: {
        ...optional,
        parse: zeroOrOne,
        brief: "1 strips the archive's single top directory; 0 keeps it (default: what its deployd.toml says)",
        placeholder: "levels",
      },
      commit: {
        ...optional,
        parse: anyText,
        brief: "The commit it was built from (default: none)",
        placeholder: "commit",
      },
      author: { ...optional, parse: anyText, brief: "Who made it (default: nobody)", placeholder: "name" },
      ...commonFlags,
    },
    positional: {
      kind: "tuple",
      parameters: [serviceArgument, { brief: "The archive, or its URL", placeholder: "file-or-url", parse: anyText }],
    },
  },
  func: ctlVerb<BuildsAddFlags, [string, string]>(async (ctl, flags, service, from) => {
    const { id, artifact, notes } = await newBuild({ from, ...flags }, ctl.process.clock, ctl.signal);
    const record: BuildRecord = {
      ...artifact,
      ...(flags.commit === undefined ? {} : { commit: flags.commit }),
      ...(flags.author === undefined ? {} : { author: flags.author }),
      time: ctl.process.now().toISOString(),
    };
    await using zk = await ctl.connect();
    await readService(zk, service, () => {});
    const result = await addBuild(zk, service, id, record);
    const { url, digest, size, strip = 0 } = record;
    const added = result.kind === "added";
    ctl.output.answer({ schema: "deployd.ctl.build/1", service, build: id, added, url, digest, size, strip, notes }, [
      addedText(service, id, record, result),
      ...notes.map((note) => `Note: ${note}`),
      `Deploy it with: deployd ctl deploy ${service} ${id}`,
    ]);
    return exit.asked;
  }),
});

function addedText(service: string, id: string, { url, size }: BuildRecord, result: Added): string {
  switch (result.kind) {
    case "added":
      return `Added ${id} to ${service}: ${byteSize(size)} from ${url}`;
    case "was there":
      return `${service} has ${id} already, the same file, from ${url}`;
    case "moved":
      return `${service} has ${id} already, the same file; hosts now fetch it from ${url} and no longer from ${maskedUrl(result.from)}`;
  }
}
