import { codeOf, importsOf, type Source } from "./sources.ts";

/**
 * Who may import whom (design, section 9). A layer, or a file at the top of src/, that is not named here may not
 * exist.
 */
const below = ["core", "schema", "support"];
const allowed: Readonly<Record<string, readonly string[]>> = {
  schema: [],
  core: ["schema"],
  support: ["schema", "core"],
  // A package of its own: it knows nothing of deployd.
  zookeeper: [],
  fetch: below,
  traffic: below,
  // What a machine is to those who act on it: interfaces, one noun each, and the types that they speak in.
  machine: [...below, "fetch", "probe", "traffic", "zookeeper"],
  probe: [...below, "machine"],
  restart: [...below, "machine"],
  // Rows, events and words that ctl, the monitor and the page share.
  view: below,
  status: [...below, "view", "page"],
  monitor: [...below, "view"],
  // What is shown of the tree, read again as it changes; ctl and the page share it.
  watch: [...below, "store", "view", "zookeeper"],
  page: [...below, "view", "watch"],
  steps: [...below, "machine", "fetch", "probe", "restart"],
  store: [...below, "zookeeper"],
  // The real machine. Only main and the verbs that run on one machine alone know it.
  host: [...below, "machine", "fetch", "traffic", "probe", "zookeeper"],
  service: [...below, "machine", "traffic", "probe", "restart", "steps", "store", "zookeeper"],
  agent: [...below, "cli", "machine", "service", "conductor", "steps", "store", "status", "watch", "page", "zookeeper"],
  conductor: [...below, "machine", "store", "zookeeper"],
  // Which verbs there are is for verbs.ts to say; how one is read, run and told, for this.
  cli: [...below, "view"],
  // builds add asks of a file what a host's own steps would make of it.
  ctl: [...below, "cli", "fetch", "steps", "store", "view", "watch", "monitor", "page", "zookeeper"],
  // The manual, which is no source but goes into the binary.
  help: [...below, "cli", "../docs"],
  pack: [...below, "cli", "fetch", "steps", "host"],
  doctor: [...below, "cli", "traffic", "host", "agent", "service"],
  dev: [...below, "cli", "pack", "store", "host", "zookeeper"],
  // The tree of all verbs, and who runs it on a real machine.
  "verbs.ts": ["agent", "cli", "ctl", "dev", "doctor", "help", "pack"],
  "main.ts": ["cli", "host", "support", "verbs.ts", "version.ts"],
  "version.ts": [],
};

function layerOf(path: string): string {
  return path.includes("/") ? (path.split("/")[0] ?? "") : path;
}

export function arrowProblems(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const from = layerOf(source.path);
    const may = allowed[from];
    if (may === undefined) return [`${source.path}: there is no layer "${from}" in the design`];
    return importsOf(source).flatMap(({ specifier, target }) => {
      if (target === null) return [];
      if (target.startsWith("../docs/") && target.endsWith(".md") && may.includes("../docs")) return [];
      if (target.startsWith("..")) return [`${source.path} imports ${specifier}, outside src/`];
      // What a browser is sent goes into the binary as text.
      if (from === "page" && /^page\/assets\/[a-z_]+\.(?:css|js|svg)$/.test(target)) return [];
      if (!/\.tsx?$/.test(target)) return [`${source.path} imports ${specifier} without its ending`];
      const to = layerOf(target);
      return to === from || may.includes(to) ? [] : [`${source.path} imports ${target}: ${from} may not know ${to}`];
    });
  });
}

const impure: readonly (readonly [RegExp, string])[] = [
  [/\bawait\s/, "awaits"],
  [/\basync\b/, "is async"],
  [/\bPromise\b/, "makes promises"],
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\./, "reads the clock"],
  [/\bMath\.random\b|\bcrypto\b/, "draws random numbers"],
  [/\b(?:setTimeout|setInterval|queueMicrotask)\b/, "waits"],
  [/\bprocess\.(?:env|argv|exit|kill|cwd|pid)\b|\bBun\.|\bfetch\(/, "touches the world"],
];

const pureRooms = ["core/", "schema/", "view/"];

/** core computes and nothing else; time and chance come in as values. schema is part of the same circle, view lies beside it. */
export function purityProblems(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => pureRooms.some((room) => path.startsWith(room)))
    .flatMap((source) => {
      const code = codeOf(source.text);
      const effects = impure.filter(([pattern]) => pattern.test(code)).map(([, does]) => `${source.path} ${does}`);
      const foreign = importsOf(source)
        .filter(({ specifier, target }) => target === null && specifier !== "zod")
        .map(({ specifier }) => `${source.path} imports ${specifier}`);
      return [...effects, ...foreign];
    });
}

/** By which the runtime is asked for time or chance. Methods of a clock that is handed in have some of the same names. */
const timeAndChance = new RegExp(
  [
    /\bDate\.now\b/,
    /\bnew Date\b(?!\s*\(\s*[^)\s])/,
    /\bperformance\.now\b/,
    /\bhrtime\b/,
    /\bBun\.nanoseconds\b/,
    /(?:\bglobalThis\.|(?<![\w.]))(?:setTimeout|setInterval|setImmediate)\b/,
    /\btimers\/promises\b/,
    /\bAbortSignal\.timeout\b/,
    /\bBun\.sleep\w*\b/,
    /\bMath\.random\b/,
    // A clock declares one of that name, and is asked for it.
    /(?:\bcrypto\.|(?<![\w.#"]))randomBytes\b(?!\s*\(count: number\)|: \()/,
    /\brandomUUID\b/,
    /\bgetRandomValues\b/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

/** The one file that makes the real ones. */
const CLOCK = "support/clock.ts";

/** Time and chance come from a clock that is handed in, so that all of it can be rehearsed. */
export function clockProblems(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const code = codeOf(source.text);
    const asked = source.path === CLOCK ? [] : [...code.matchAll(timeAndChance)].map((match) => match[0]);
    // Whoever takes the real one by itself cannot be handed another.
    const taken = source.path !== "main.ts" && source.path !== CLOCK && /\bsystemClock\b/.test(code);
    return [
      ...asked.map((what) => `${source.path} asks the runtime by ${what}; take a Clock`),
      ...(taken ? [`${source.path} takes the system's clock; take one as an argument`] : []),
    ];
  });
}

/** What only main.ts touches. What has the same name in a parameter (`process: CtlProcess`) is not the global one. */
const globals = /(?<![\w.])process\.(argv|env|exit|exitCode|on|once|stdin|stdout|stderr)\b/g;

/** The exceptions, each with its reason. */
const excused: Readonly<Record<string, readonly string[]>> = {
  // A child process of ours is this program again: how it was started tells how to start it.
  "dev/self.ts": ["argv"],
  // That child sees what this process sees, as it would from a shell.
  "dev/ctl.ts": ["env"],
};

export function processProblems(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path !== "main.ts")
    .flatMap(({ path, text }) => {
      const code = codeOf(text);
      // A verb is handed a `process` of its own and names it where it takes it.
      const ofVerbs = /^(?:ctl|cli)\/|(?:^|\/)verbs?\.ts$/.test(path);
      const own = ofVerbs && /\bprocess: \w*Process\b|\(\{ process\b|\bprocess\b[^;=]*\}\s*=|\bprocess = /.test(code);
      if (own) return [];
      return [...code.matchAll(globals)]
        .map((match) => match[1] ?? "")
        .filter((name) => excused[path]?.includes(name) !== true)
        .map((name) => `${path} touches process.${name}; only main.ts does`);
    });
}
