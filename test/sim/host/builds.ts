import { RECIPE_FILE } from "../../../src/steps/layout.ts";
import type { Digest } from "../../../src/schema/names.ts";
import type { BuildRecord } from "../../../src/schema/znodes.ts";
import { chanceOf } from "../chance.ts";
import { BEGINNING_MS } from "../time.ts";
import { packTree } from "./archive.ts";
import type { Character, InstallCharacter } from "./character.ts";

/** Who starts the service again: a command of the build, or the host's init, which a signal makes do it. */
export type RestartKind = "command" | "term" | "hup";

export interface BuildPlan {
  readonly id: string;
  readonly character?: Character;
  readonly restart?: RestartKind;
  /** One for each install step. */
  readonly install?: readonly InstallCharacter[];
  readonly installTimeoutS?: number;
  readonly installAttempts?: number;
  readonly restartTimeoutS?: number;
  readonly check?: {
    /** What it asks; http unless given. */
    readonly by?: "http" | "tcp" | "command";
    readonly intervalS?: number;
    readonly deadlineS?: number;
    readonly successes?: number;
    readonly timeoutS?: number;
    /** The answer must name the build. */
    readonly namesBuild?: boolean;
  };
  /** Told by a POST to let its clients go, and how long they may take. */
  readonly drainS?: number;
  /** Paths of the release that lie in `shared/`. One that ends in .conf is a file that every build brings in the same words. */
  readonly shared?: readonly string[];
  /** Whether it says itself how it is run, well or in a way that nobody can read, or leaves that to the agent's file. */
  readonly recipe?: "brought" | "unreadable" | "left out";
  /** The directory that all of its archive lies in, which its recipe has left out on hosts. */
  readonly top?: string;
  /** Files besides its recipe and its program, and the characters in each. */
  readonly files?: number;
  readonly fileChars?: number;
}

/** A build as it lies on the artefact server, and what is known about it there. */
export interface SimBuild {
  readonly id: string;
  readonly plan: BuildPlan;
  /** Text by path within the release. */
  readonly files: ReadonlyMap<string, string>;
  readonly archive: Uint8Array;
  readonly digest: Digest;
  record(url: string): BuildRecord;
}

/** The program's own description; a process is what the file in its release says at its start. */
export const PROGRAM_FILE = "svc";

export interface Program {
  readonly build: string;
  readonly character: Character;
  readonly install: readonly InstallCharacter[];
}

export function makeBuild(plan: BuildPlan): SimBuild {
  const { id, character = { kind: "good" }, install = [], files: count = 3, fileChars = 400 } = plan;
  const program: Program = { build: id, character, install };
  const files = new Map([[PROGRAM_FILE, JSON.stringify(program)]]);
  const { recipe = "brought", shared = [] } = plan;
  if (recipe !== "left out") files.set(RECIPE_FILE, recipe === "brought" ? recipeText(plan) : "[install\n");
  for (const path of shared) if (path.endsWith(".conf")) files.set(path, `# ${path}, as every build has it\n`);
  const chance = chanceOf(`build ${id}`);
  for (let at = 1; at <= count; at += 1)
    files.set(
      `lib/part-${at}`,
      filler(() => chance.random(), fileChars),
    );
  const { top } = plan;
  const archive = packTree(
    top === undefined ? files : new Map([...files].map(([path, text]) => [`${top}/${path}`, text])),
  );
  const digest: Digest = `sha256:${new Bun.CryptoHasher("sha256").update(archive).digest("hex")}`;
  const unpackedBytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return {
    id,
    plan,
    files,
    archive,
    digest,
    record: (url) => ({
      url,
      digest,
      size: archive.length,
      entries: files.size + 1,
      unpackedBytes,
      time: new Date(BEGINNING_MS).toISOString(),
    }),
  };
}

/** What the step leaves in the release when it ended well. */
export function installProduct(build: string, step: number): { readonly name: string; readonly text: string } {
  return { name: `installed-${step}`, text: `${build} step ${step} is done` };
}

function filler(random: () => number, chars: number): string {
  return Array.from({ length: chars }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join("");
}

/** How a build is run, as its own file says it. */
export function recipeText(plan: BuildPlan): string {
  const { install = [], check = {}, shared = [], restart = "command", drainS } = plan;
  const steps = install.map((_, at) => `"./${PROGRAM_FILE} install ${at + 1}"`);
  const timeout = `timeout_s = ${plan.restartTimeoutS ?? 10}`;
  return [
    ...(plan.top === undefined ? [] : ["strip = 1"]),
    "[install]",
    `steps = [${steps.join(", ")}]`,
    `timeout_s = ${plan.installTimeoutS ?? 20}`,
    `attempts = ${plan.installAttempts ?? 3}`,
    `shared = [${shared.map((path) => `"${path}"`).join(", ")}]`,
    "",
    "[restart]",
    ...restartLines(restart),
    timeout,
    "",
    ...(drainS === undefined
      ? []
      : [
          "[drain]",
          'url = "http://127.0.0.1:${PORT}/drain"',
          'resume_url = "http://127.0.0.1:${PORT}/resume"',
          `deadline_s = ${drainS}`,
          "",
        ]),
    "[check]",
    checkLine(check.by ?? "http"),
    ...(check.namesBuild === true ? ['expect_body = "${DEPLOYD_BUILD} is well"'] : []),
    `interval_s = ${check.intervalS ?? 0.5}`,
    `deadline_s = ${check.deadlineS ?? 15}`,
    `successes = ${check.successes ?? 2}`,
    `timeout_s = ${check.timeoutS ?? 2}`,
    "",
  ].join("\n");
}

function checkLine(by: "http" | "tcp" | "command"): string {
  switch (by) {
    case "http":
      return 'http = "http://127.0.0.1:${PORT}/health"';
    case "tcp":
      return 'tcp = "127.0.0.1:${PORT}"';
    case "command":
      return `command = "./${PROGRAM_FILE} check"`;
  }
}

function restartLines(restart: RestartKind): string[] {
  switch (restart) {
    case "command":
      return ['by = "command"', `stop = "./${PROGRAM_FILE} stop"`, `start = "./${PROGRAM_FILE} start"`];
    case "term":
    case "hup":
      return [
        'by = "signal"',
        `signal = "${restart.toUpperCase()}"`,
        'pid_file = "${DEPLOYD_ROOT}/run/${DEPLOYD_INSTANCE}.pid"',
      ];
  }
}

export function pidFileOf(root: string, instance: string): string {
  return `${root}/run/${instance}.pid`;
}
