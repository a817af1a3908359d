/**
 * A deploy id, such as `20261123-081502-9f3c`: ids sort by time, and two people deploying at once do not get the same
 * one.
 *
 * @param random uniform in [0, 1)
 */
export function newDeployId(now: Date, random: () => number): string {
  const [date = "", time = ""] = now.toISOString().split("T");
  const suffix = Math.floor(random() * 0x10000)
    .toString(16)
    .padStart(4, "0");
  return `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}-${suffix}`;
}
