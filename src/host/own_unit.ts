import { existsSync, readFileSync } from "node:fs";
import { DEFAULT_PATH } from "./processes_env.ts";

/** The name that install.sh gives the agent's unit. */
export const AGENT_UNIT = "deployd-agent.service";

/** systemd creates it when it is the init of the machine (sd_booted(3)). */
const BOOTED = "/run/systemd/system";
/** States of a unit file in which nothing starts the unit after a boot (systemctl(1), is-enabled). */
const NOT_AT_BOOT = new Set(["disabled", "masked", "masked-runtime", "enabled-runtime", "linked-runtime"]);

export type StartAtBoot =
  /** systemd starts the unit. */
  | { readonly kind: "started" }
  /** An explanation for people, with what to do. */
  | { readonly kind: "left down"; readonly why: string }
  /** It is not a systemd unit, or one that something else may start. */
  | { readonly kind: "unknown" };

/** What happens to the agent's unit when the machine boots. */
export async function startAtBoot(unit: string | null): Promise<StartAtBoot> {
  const systemctl = Bun.which("systemctl", { PATH: DEFAULT_PATH });
  if (unit === null || systemctl === null || !existsSync(BOOTED)) return { kind: "unknown" };
  await using child = Bun.spawn([systemctl, "show", "--property=LoadState,UnitFileState", "--", unit], {
    cwd: "/",
    env: { PATH: DEFAULT_PATH },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const shown = await child.stdout.text();
  const state = /^UnitFileState=(.*)$/m.exec(shown)?.[1] ?? "";
  if (state === "enabled") return { kind: "started" };
  if (!NOT_AT_BOOT.has(state)) return { kind: "unknown" };
  const why = `After a reboot nothing starts the agent, so none of its services start: ${unit} is ${state}. Run: systemctl enable ${unit}`;
  return { kind: "left down", why };
}

/** The systemd unit that this process runs in; null if it runs in none, or in one of a user's session. */
export function ownUnit(): string | null {
  const groups = existsSync("/proc/self/cgroup") ? readFileSync("/proc/self/cgroup", "utf8") : "";
  const own = /^(?:0:|\d+:name=systemd):(.*)$/m.exec(groups)?.[1] ?? "";
  return own.includes("user.slice") ? null : (/\/([^/]+\.service)$/.exec(own)?.[1] ?? null);
}
