import { z } from "zod";
import { forcedByBuild } from "./restart_phases.ts";

/*
 * `deployd.toml`, the recipe: what a build says about itself. It is inside the archive, so the archive's digest (and
 * later its signature) covers it. For builds without one, the service's section in agent.toml has the same three
 * sections.
 */

/** The longest file name on Linux's file systems, in bytes. */
const LONGEST_FILE_NAME = 255;
const LONGEST_PATH = 1024;

/** Why a path of a release cannot be shared; null when it can. */
function sharedProblem(path: string): string | null {
  const names = namesOf(path);
  if (/\p{Cc}/u.test(path)) return "it has a control character in it";
  if (path.startsWith("/")) return "it must be relative, a path in the release";
  if (names.includes("..")) return "it must not have .. in it";
  if (names.length === 0) return "it names no path in the release";
  if (names[0] === "deployd.toml") return "the build's own recipe cannot be shared";
  if (names.some((name) => Buffer.byteLength(name) > LONGEST_FILE_NAME))
    return `a name has more than ${LONGEST_FILE_NAME} bytes`;
  return Buffer.byteLength(path) > LONGEST_PATH ? `it has more than ${LONGEST_PATH} bytes` : null;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

const sharedPath = z
  .string()
  .superRefine((path, context) => {
    const problem = sharedProblem(path);
    if (problem !== null)
      context.addIssue({ code: "custom", message: `cannot share ${JSON.stringify(path)}: ${problem}` });
  })
  .transform((path) => namesOf(path).join("/"));

const sharedPaths = z
  .array(sharedPath)
  .max(64)
  .superRefine((paths, context) => {
    const sorted = paths.toSorted();
    for (const path of sorted) {
      const above = sorted.find((other) => path.startsWith(`${other}/`));
      if (above !== undefined)
        context.addIssue({ code: "custom", message: `"${path}" is shared already, as a part of "${above}"` });
    }
    const twice = sorted.find((path, at) => sorted[at + 1] === path);
    if (twice !== undefined) context.addIssue({ code: "custom", message: `"${twice}" is named twice` });
  });

const seconds = (maximum: number) => z.number().positive().max(maximum);

const installStep = z.union([
  z.string().min(1),
  z.strictObject({
    run: z.string().min(1),
    /** Seconds until the step is killed with all its children. */
    timeout_s: seconds(86_400).optional(),
  }),
]);

export const installSection = z.strictObject({
  /** Shell lines, run one after the other inside the release directory before `current` points at it. */
  steps: z.array(installStep).max(64).default([]),
  /** Seconds for a step that does not name its own limit. */
  timeout_s: seconds(86_400).default(600),
  /** How many times a failing list of steps is tried before the host gives up. */
  attempts: z.int().min(1).max(10).default(3),
  /** Paths inside the release that are links into the service's `shared/` directory and survive every deploy. */
  shared: sharedPaths.default([]),
});

const unitName = z
  .string()
  .regex(
    /^[A-Za-z0-9:_.@\\${}-]+\.service$/,
    "a unit is named in full, as in web.service or web@${DEPLOYD_INSTANCE}.service",
  );

const directory = z.string().regex(/^\/[^\0]*$/, "the service's directory is given as an absolute path");

/** A variable, `${NAME}`, whose value only the host knows. The text around it can be checked without it. */
const VARIABLE = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/g;

/** A text that begins with a variable may become any URL, so it is accepted. */
const httpUrl = z
  .string()
  .min(1)
  .refine(
    (text) => text.search(VARIABLE) === 0 || (/^https?:/.test(text) && URL.canParse(text.replace(VARIABLE, "1"))),
    "an http or https URL is required, as in http://127.0.0.1:8080/path",
  );

const hostAndPort = z.string().refine((text) => {
  const [, port] = /^(?:\[[^\]]+\]|[^:/]+):(\d{1,5})$/.exec(text.replace(VARIABLE, "1")) ?? [];
  return Number(port) >= 1 && Number(port) <= 65_535;
}, "host:port is required, as in 127.0.0.1:8080, or [::1]:8080 for IPv6");

const restartTimeout = { timeout_s: seconds(3600).default(60) };

export const restartSection = z.discriminatedUnion("by", [
  z.strictObject({
    by: z.literal("systemd"),
    unit: unitName,
    action: z.enum(["restart", "reload", "reload-or-restart"]).default("restart"),
    ...restartTimeout,
  }),
  z
    .strictObject({
      by: z.literal("command"),
      stop: z.string().min(1).optional(),
      start: z.string().min(1).optional(),
      reload: z.string().min(1).optional(),
      ...restartTimeout,
    })
    .refine((section) => section.start !== undefined || section.reload !== undefined, {
      message: 'restart by command needs "start" (with "stop" before it when there is one) or "reload"',
    }),
  z.strictObject({
    by: z.literal("signal"),
    signal: z.enum(["HUP", "USR1", "USR2", "TERM", "INT", "QUIT", "WINCH"]).default("HUP"),
    /** Sent to the old process once its successor, which the signal started, is proven alive. */
    retire: z.enum(["QUIT", "TERM", "INT"]).optional(),
    pid_file: z.string().min(1),
    ...restartTimeout,
  }),
  z.strictObject({
    by: z.literal("systemd-socket"),
    /** The unit that holds the listening socket and passes it to both copies. */
    socket: z.string().regex(/^[A-Za-z0-9:_.@\\-]+\.socket$/, "a socket unit is named in full, as in web.socket"),
    /** A template whose two copies, blue and green, take turns. */
    unit: z.string().regex(/^[A-Za-z0-9:_.\\-]+@\.service$/, "a template is named in full, as in web@.service"),
    ...restartTimeout,
  }),
  z.strictObject({ by: z.literal("runit"), service: directory, ...restartTimeout }),
  z.strictObject({ by: z.literal("s6"), service: directory, ...restartTimeout }),
  z.strictObject({
    by: z.literal("supervisord"),
    program: z
      .string()
      .regex(/^[A-Za-z0-9_.${}-]+(:[A-Za-z0-9_.${}-]+)?$/, "a program is named as in web or web:web_1"),
    ...restartTimeout,
  }),
]);

const tell = z.enum(["HUP", "USR1", "USR2", "TERM", "INT", "QUIT", "WINCH"]);

/** How an instance that is to be restarted is made to let go of its clients. */
export const drainSection = z.strictObject({
  /** Sent to the instance's main process when its traffic is off. */
  signal: tell.optional(),
  /** Requested with POST when the instance's traffic is off. */
  url: httpUrl.optional(),
  /** Sent when the drain is called off and the instance continues to serve. */
  resume_signal: tell.optional(),
  resume_url: httpUrl.optional(),
  /** Seconds after which the last client must be gone. */
  deadline_s: seconds(3600).default(30),
  /** Phases whose failure or deadline does not call the restart off (forced phases). */
  force: z.array(z.enum(forcedByBuild)).default([]),
});

const checkTimes = {
  /** Seconds for one attempt. */
  timeout_s: seconds(300).default(2),
  /** Seconds between attempts. */
  interval_s: seconds(300).default(0.5),
  /** Seconds from the restart until the service must be healthy. */
  deadline_s: seconds(3600).default(60),
  /** How many checks in a row must pass for the service to count as healthy. */
  successes: z.int().min(1).max(100).default(3),
  /** Seconds during which every check must have passed before the service counts as healthy. */
  min_healthy_s: z.number().min(0).max(3600).default(0),
};

export const checkSection = z.union([
  z.strictObject({
    http: httpUrl,
    expect_status: z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]).default(200),
    expect_body: z.string().min(1).optional(),
    ...checkTimes,
  }),
  z.strictObject({ tcp: hostAndPort, ...checkTimes }),
  z.strictObject({ command: z.string().min(1), ...checkTimes }),
]);

const sections = {
  install: installSection.prefault({}),
  restart: restartSection.optional(),
  drain: drainSection.optional(),
  check: checkSection.optional(),
};

export const recipeSchema = z.strictObject({
  /** Whether the top directory, in which the whole archive lies, is stripped; this is what the archive itself says. */
  strip: z.literal(1, "only 1 can be stripped: the one directory that all of the archive lies in").optional(),
  ...sections,
});

/** What to install, restart and check; times in seconds as written. */
export type Recipe = z.output<typeof recipeSchema>;
export type RestartSection = z.output<typeof restartSection>;
export type DrainSection = z.output<typeof drainSection>;
export type CheckSection = z.output<typeof checkSection>;
export type InstallSection = z.output<typeof installSection>;
