import { z } from "zod";

/*
 * `deployd.toml`: what a build says about itself. It travels inside the archive, so its digest (and later its
 * signature) covers it; for builds that carry none the same three sections stand in the service's section of the
 * agent's own file.
 */

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
  /** Shell lines, run one after the other inside the release directory before anything points at it. */
  steps: z.array(installStep).max(64).default([]),
  /** Seconds for a step that does not name its own limit. */
  timeout_s: seconds(86_400).default(600),
  /** How often a failed step list is tried before the host gives up. */
  attempts: z.int().min(1).max(10).default(3),
  /** Paths inside the release that are links into the service's `shared/` directory and survive every deploy. */
  shared: z.array(z.string().min(1)).max(64).default([]),
});

const restartTimeout = { timeout_s: seconds(3600).default(60) };

export const restartSection = z.discriminatedUnion("by", [
  z.strictObject({
    by: z.literal("systemd"),
    unit: z.string().regex(/^[A-Za-z0-9:_.@\\-]+\.service$/, "a unit is named in full, as in web.service"),
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
    pid_file: z.string().min(1),
    ...restartTimeout,
  }),
]);

const checkTimes = {
  /** Seconds for one attempt. */
  timeout_s: seconds(300).default(2),
  /** Seconds between attempts. */
  interval_s: seconds(300).default(0.5),
  /** Seconds from the restart until the service must be healthy. */
  deadline_s: seconds(3600).default(60),
  /** Passes in a row that count as healthy. */
  successes: z.int().min(1).max(100).default(3),
};

export const checkSection = z.union([
  z.strictObject({
    http: z.string().min(1),
    expect_status: z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]).default(200),
    expect_body: z.string().min(1).optional(),
    ...checkTimes,
  }),
  z.strictObject({ tcp: z.string().regex(/:[^:]+$/, "a tcp check is host:port"), ...checkTimes }),
  z.strictObject({ command: z.string().min(1), ...checkTimes }),
]);

const sections = {
  install: installSection.prefault({}),
  restart: restartSection.optional(),
  check: checkSection.optional(),
};

export const manifestSchema = z.strictObject(sections);

/** What to install, restart and check; times in seconds as written. */
export type Manifest = z.output<typeof manifestSchema>;
export type RestartSection = z.output<typeof restartSection>;
export type CheckSection = z.output<typeof checkSection>;
export type InstallSection = z.output<typeof installSection>;
