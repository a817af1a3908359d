import { z } from "zod";

/**
 * Names become znode names, directory names and words of a command line, so they are limited to characters that are safe
 * and unambiguous in all three: no slash, no leading dot or dash, nothing that a shell or a terminal would act on.
 */
function name(what: string, pattern: RegExp, maxLength: number) {
  return (
    z
      .string()
      .max(maxLength, `a ${what} has at most ${maxLength} characters`)
      .regex(pattern, `a ${what} is made of letters, digits and . _ - and starts with a letter or a digit`)
      // Names are also keys of records; every object inherits these few.
      .refine((text) => !(text in Object.prototype), `a ${what} cannot be a word of JavaScript's own objects`)
  );
}

export const serviceName = name("service name", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, 63);
export const hostName = name("host name", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, 253);
export const buildId = name("build id", /^[A-Za-z0-9][A-Za-z0-9._+-]*$/, 128);
export const deployId = name("deploy id", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, 64);
export const zoneName = name("zone", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, 63);

export const targetName = name("target name", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, 63);

/** A sha256 digest as deployd writes it everywhere: `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = `sha256:${string}`;
export const digest = z.custom<Digest>(
  (value) => typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value),
  "a digest is sha256: and 64 lower-case hexadecimal digits",
);

/** RFC 3339 in UTC, as `Date.prototype.toISOString` prints it. */
export const timestamp = z.iso.datetime();
