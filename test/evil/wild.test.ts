import { expect, test } from "bun:test";
import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostDisk } from "../../src/host/disk.ts";
import { systemClock as clock } from "../../src/support/clock.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { ctl } from "../ctl/terminal.ts";
import { deploydBinary } from "../harness/binary.ts";
import { HOOK_MS } from "../harness/fleet_patience.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostSays, TAKEN, type Verdict } from "../harness/unpacking_host.ts";
import { waysToPack, type WayToPack } from "./wild.ts";

const TABLE = join(import.meta.dir, "wild.txt");
const RECIPE = '[install]\nshared = ["uploads"]\n[restart]\nby = "command"\nstart = "true"\n';

async function makeTree(dir: string): Promise<void> {
  await mkdir(join(dir, "web", "bin"), { recursive: true });
  await mkdir(join(dir, "web", "public"));
  await writeFile(join(dir, "web", "deployd.toml"), RECIPE);
  await writeFile(join(dir, "web", "bin", "server"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(dir, "web", "public", "index.html"), "<p>hello</p>\n");
  await writeFile(join(dir, "web", "package.json"), '{"name":"web","version":"1.4.0"}\n');
  await symlink("public/index.html", join(dir, "web", "start"));
  // Where node looks for tar.
  await symlink(join(import.meta.dir, "..", "..", "node_modules"), join(dir, "node_modules"));
}

function run(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  return Bun.spawn([...argv], {
    cwd,
    env: { ...process.env, LC_ALL: "C.UTF-8", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function makeArchive({ tool, script }: WayToPack, dir: string, binary: string): Promise<string> {
  await makeTree(dir);
  if (tool === "git") {
    const commit = "git init -q; git add .; git -c user.name=a -c user.email=a@b commit -qm a";
    expect(await run(["sh", "-euc", commit], join(dir, "web"), {}).exited).toBe(0);
  }
  const out = join(dir, "archive");
  // Debian's own programs first, so that the table is the same everywhere.
  const path = `${join(dir, "path")}:/usr/bin:${process.env["PATH"] ?? ""}`;
  await mkdir(join(dir, "path"));
  await symlink(binary, join(dir, "path", "deployd"));
  const made = run(["sh", "-euc", script], dir, { OUT: out, PATH: path });
  const [code, stderr] = await Promise.all([made.exited, made.stderr.text()]);
  if (code !== 0) throw new Error(`${tool}: ${script}\n${stderr}`);
  return out;
}

interface Row {
  readonly way: WayToPack;
  readonly host: Verdict;
  readonly added: Verdict;
  readonly notes: readonly string[];
  /** What lies at the top of the release. */
  readonly top: readonly string[];
}

/** The table, to be read by people. */
function tableOf(rows: readonly Row[], dir: string): string {
  const lines = rows.flatMap(({ way: { tool, script, strip }, host, added, notes }, index) => {
    const steady = (text: string) => text.replaceAll(join(dir, String(index)), "").replaceAll(`"b${index}"`, '"v1"');
    const flag = strip === undefined ? "" : `, added with --strip ${strip}`;
    const why = /^[^:]*, because no host would accept it: (.*)$/s.exec(added.message)?.[1] ?? added.message;
    const more = [...(added === TAKEN ? [] : [why, added.hint]), ...notes].map((text) => `${" ".repeat(36)}  ${text}`);
    return [`${host.code.padEnd(18)}${added.code.padEnd(18)}${tool}: ${script}${flag}`, ...more].map(steady);
  });
  return ["a host            builds add        made by", ...lines, ""].join("\n");
}

test(
  "what the tools of this world make is taken by builds add and by hosts alike, or refused by both with the same words",
  async () => {
    await using dir = await tempDir();
    const binary = await deploydBinary();
    await using zookeeper = await startDevServer({ clock });
    const env = { DEPLOYD_ZOOKEEPER: zookeeper.connectString };
    expect(await ctl(["services", "set", "web"], { env })).toMatchObject({ code: 0 });

    const rowOf = async (way: WayToPack, index: number): Promise<Row> => {
      const place = join(dir.path, String(index));
      await mkdir(place);
      const archive = await makeArchive(way, place, binary);
      const build = `b${index}`;
      const host = await hostSays({ archive, build, strip: way.strip, root: join(place, "host") });
      // Whoever packed with deployd has said what it is; of the others there is the file alone.
      const file = join(place, way.tool === "deployd" ? "archive" : "web.tar");
      if (file !== archive) await rename(archive, file);
      else
        await writeFile(
          `${file}.manifest.json`,
          (await readFile(`${file}.manifest.json`, "utf8")).replace("any", build),
        );
      const strip = way.strip === undefined ? [] : ["--strip", String(way.strip)];
      const { code, stdout } = await ctl(["builds", "add", "web", file, "--build", build, "--json", ...strip], { env });
      const said = JSON.parse(stdout) as { error?: Verdict; notes?: string[] };
      expect({ way, code: code === 0 }).toEqual({ way, code: said.error === undefined });
      const release = layoutOf(join(place, "host")).release(build);
      const top = host === TAKEN ? await new Files(hostDisk, clock).list(release) : [];
      return { way, host, added: said.error ?? TAKEN, notes: said.notes ?? [], top };
    };

    const rows: Row[] = [];
    const waiting = [...waysToPack.entries()];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, way] = next;
        rows[index] = await rowOf(way, index);
      }
    };
    await Promise.all([work(), work(), work()]);

    for (const { way, host, added, top } of rows) {
      if (host === TAKEN && added !== TAKEN) {
        // The one thing that builds add does not let pass although a host would unpack it, in vain.
        expect({ way, added: added.code }).toEqual({ way, added: "usage" });
        expect(!top.includes("deployd.toml") || way.strip === 0).toBe(true);
        continue;
      }
      expect({ way, code: added.code, hint: added.hint }).toEqual({ way, code: host.code, hint: host.hint });
      expect(added.message).toEndWith(host.message);
      const bringsNone = way.script.includes("rm web/deployd.toml");
      const keepsTop = way.strip === 0;
      if (host === TAKEN)
        expect({ way, found: top.includes("deployd.toml") }).toEqual({ way, found: !bringsNone && !keepsTop });
    }
    const table = tableOf(rows, dir.path);
    if (process.env["UPDATE_GOLDEN"] === "1") await Bun.write(TABLE, table);
    expect(table).toBe(await Bun.file(TABLE).text());
  },
  HOOK_MS,
);
