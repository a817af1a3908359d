import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { agentConfig } from "../../src/agent/config.ts";
import { variablesOf } from "../../src/service/command_context.ts";
import { resolveRecipe } from "../../src/core/resolved_recipe.ts";
import { exit, exitForError } from "../../src/cli/exit.ts";
import { helpPage, topics } from "../../src/help/pages.ts";
import { agentConfigSchema } from "../../src/schema/agent_config.ts";
import { errorCodeSchema } from "../../src/schema/error_code.ts";
import { recipeSchema } from "../../src/schema/recipe.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { parseRecipe } from "../../src/steps/recipe.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { codeOf, readSources } from "./sources.ts";

const root = join(import.meta.dir, "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const variables = {
  ...variablesOf({
    host: "web-01",
    service: "web",
    build: "v2",
    deploy: "d1",
    instance: { name: "1", port: 8080, env: {}, alone: true },
    previous: "v1",
    layout: layoutOf("/srv/deployd/web"),
    env: { PORT: "8080" },
  }),
};

interface Example {
  readonly page: string;
  readonly file: string;
  readonly text: string;
}

/** The TOML blocks whose first line is a comment that names their file. */
const examples: readonly Example[] = pages.flatMap((page) =>
  [...read(page).matchAll(/^```toml\n# (agent|deployd)\.toml\n(.*?)^```$/gms)].map((match) => ({
    page,
    file: `${match[1]}.toml`,
    text: match[2] ?? "",
  })),
);

describe("the examples of the documentation", () => {
  test("are there for both files", () => {
    expect(examples.filter((example) => example.file === "agent.toml").length).toBeGreaterThanOrEqual(2);
    expect(examples.filter((example) => example.file === "deployd.toml").length).toBeGreaterThanOrEqual(4);
  });

  test("that are TOML all name their file", () => {
    const blocks = pages.flatMap((page) => [...read(page).matchAll(/^```toml\n/gm)]);
    expect(blocks).toHaveLength(examples.length);
  });

  test.each(examples.map((example, number) => [`${example.page}, ${example.file} ${number + 1}`, example] as const))(
    "are valid: %s",
    (_, { page, file, text }) => {
      if (file === "agent.toml") expect(agentConfig(text, page, {}, "box").services).not.toEqual({});
      else expect(resolveRecipe(parseRecipe(text, page), variables)).toBeDefined();
    },
  );
});

test("the documented stop line takes a process that nobody has waited for yet as ended", async () => {
  const recipe = examples
    .filter(({ file }) => file === "deployd.toml")
    .map(({ text, page }) => resolveRecipe(parseRecipe(text, page), variables).restart)
    .find((spec) => spec?.by === "command" && spec.stop?.includes("kill"));
  if (recipe?.by !== "command" || recipe.stop === undefined) throw new Error("no example stops by command");
  await using dir = await tempDir();
  await mkdir(join(dir.path, "run"));
  // Its parent becomes a program that waits for nobody, like the first process of many a container.
  const parent = Bun.spawn(["sh", "-c", `sleep 600 & echo $! > '${dir.path}/run/pid'; echo ready; exec sleep 600`], {
    stdout: "pipe",
  });
  try {
    await parent.stdout.getReader().read();
    const stop = Bun.spawn(["sh", "-c", recipe.stop], { env: { DEPLOYD_SHARED: dir.path }, timeout: 10_000 });
    expect(await stop.exited).toBe(0);
    const pid = (await readFile(join(dir.path, "run", "pid"), "utf8")).trim();
    // Without its memory it has ended; the kernel may still be clearing up.
    await eventually(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "));
  } finally {
    parent.kill("SIGKILL");
  }
});

interface Key {
  readonly name: string;
  readonly defaultValue: unknown;
}

/** Every key of a schema, whatever wrappers, unions and tables lie on the way; names that people choose are no keys. */
function keysOf(schema: unknown): Key[] {
  const def = (schema as { def?: Record<string, unknown> } | undefined)?.def;
  if (def === undefined) return [];
  switch (def["type"]) {
    case "object":
      return Object.entries(def["shape"] as Record<string, unknown>).flatMap(([name, value]) => [
        { name, defaultValue: defaultOf(value) },
        ...keysOf(value),
      ]);
    case "record":
      return keysOf(def["valueType"]);
    case "array":
      return keysOf(def["element"]);
    case "union":
      return (def["options"] as unknown[]).flatMap(keysOf);
    default:
      return keysOf(def["innerType"] ?? def["in"]);
  }
}

function defaultOf(schema: unknown): unknown {
  const def = (schema as { def?: Record<string, unknown> } | undefined)?.def;
  return def?.["type"] === "default" ? def["defaultValue"] : undefined;
}

/** The rows of the tables of a page whose first cell is `name`, as their other cells. */
function rowsOf(page: string, name: string): string[][] {
  return read(page)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first?.split(", ").includes(`\`${name}\``))
    .map(([, ...rest]) => rest);
}

describe.each([
  ["docs/configuration.md", agentConfigSchema],
  ["docs/recipe.md", recipeSchema],
])("%s", (page, schema) => {
  const sections = new Set([
    "install",
    "restart",
    "drain",
    "check",
    "zookeeper",
    "status",
    "page",
    "limits",
    "services",
    "notify",
    "traffic",
    "rolling",
  ]);
  // What both files have is explained once, with the recipe.
  const shared = page === "docs/configuration.md" ? new Set(keysOf(recipeSchema).map((key) => key.name)) : new Set();
  const keys = keysOf(schema).filter((key) => !sections.has(key.name) && !shared.has(key.name));

  test("has every key of the schema in a table", () => {
    expect(keys.length).toBeGreaterThan(10);
    expect(keys.filter((key) => rowsOf(page, key.name).length === 0)).toEqual([]);
  });

  test("names every section", () => {
    const top = Object.keys(schema.def.shape).filter((name) => sections.has(name));
    for (const name of top) expect(read(page)).toMatch(new RegExp(`^## \\[${name}[\\].]`, "m"));
  });

  test("says every default as it is", () => {
    const wrong = keys
      .filter(({ defaultValue }) => typeof defaultValue === "string" || typeof defaultValue === "number")
      .filter(({ name, defaultValue }) => {
        const shown = `\`${JSON.stringify(defaultValue)}\``;
        return !rowsOf(page, name).some((cells) => cells[1]?.startsWith(shown));
      });
    expect(wrong).toEqual([]);
  });
});

test("docs/recipe.md explains every variable that commands get", () => {
  for (const name of Object.keys(variables).filter((name) => name !== "PORT")) {
    expect(rowsOf("docs/recipe.md", name)).toHaveLength(1);
  }
});

test("docs/configuration.md explains every variable that goes before the file", () => {
  const names = [...read("src/agent/config.ts").matchAll(/variable: "(DEPLOYD_\w+)", path: \[(.*?)\]/g)];
  expect(names.length).toBeGreaterThan(5);
  for (const [, name = "", path = ""] of names) {
    expect(rowsOf("docs/configuration.md", name)).toEqual([[`\`${path.replace(/"/g, "").replace(/, /g, ".")}\``]]);
  }
});

describe("docs/errors.md", () => {
  const codes = errorCodeSchema.options;

  test("explains every code, with the exit code that it has", () => {
    expect(codes.length).toBeGreaterThan(25);
    const told = codes.map((code) => [
      code,
      rowsOf("docs/errors.md", code).map((cells) => Number.parseInt(cells[1] ?? "", 10)),
    ]);
    expect(told).toEqual(codes.map((code) => [code, [exitForError(code)]]));
  });

  test("explains no code that is not there", () => {
    const explained = [...read("docs/errors.md").matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1] ?? "");
    expect(explained.toSorted()).toEqual(codes.toSorted());
  });

  test("lists every exit code", () => {
    const table = read("docs/errors.md").split("## All exit codes")[1] ?? "";
    const listed = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap((match) =>
      (match[1] ?? "").split(", ").map(Number),
    );
    expect(listed).toEqual(Object.values(exit));
  });
});

test("no message names a page of this repository, which is on no host; the binary has them", async () => {
  const told = (await readSources()).flatMap(({ path, text }) =>
    [...codeOf(text).matchAll(/(?<!from )["'`][^"'`\n]*\bdocs\//g)].map((match) => `${path}: ${match[0]}`),
  );
  expect(told).toEqual([]);
  for (const topic of topics) {
    expect(helpPage(topic)).toEqual({ page: read(`docs/${topic}.md`) });
    expect(helpPage(topic.slice(1))).toEqual({ problem: expect.stringContaining(`Did you mean "${topic}"?`) });
  }
});

test("the links between the pages lead somewhere", () => {
  for (const page of pages) {
    for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
      const path = join(page, "..", target);
      expect({ page, target, exists: existsAt(path) }).toEqual({ page, target, exists: true });
    }
  }
});

function existsAt(path: string): boolean {
  try {
    return readdirSync(join(root, path)).length > 0;
  } catch {
    return Bun.file(join(root, path)).size > 0;
  }
}

/** In what one is told to make, files that are not there yet. */
const toBeMade = /openrc|envoy|hosts_show|s3/;

test.each(["docs/architecture.md", "docs/changing.md"])("%s names files that are there", (page) => {
  const named = [...read(page).matchAll(/`((?:src|test)\/[\w./]+\.ts)`/g)].map(([, path = ""]) => path);
  const rooms = readdirSync(join(root, "src"));
  const short = [...read(page).matchAll(/`((\w+)\/[\w./]+\.ts)`/g)]
    .filter(([, , room = ""]) => rooms.includes(room))
    .map(([, path = ""]) => `src/${path}`);
  const all = [...named, ...short];
  expect(all.length).toBeGreaterThan(5);
  expect(all.filter((path) => !toBeMade.test(path) && !existsSync(join(root, path)))).toEqual([]);
});
