import { z } from "zod";
import { forcedByHost } from "./restart_phases.ts";

/*
 * The sections of a service in `agent.toml` that say which instances this host has, and how clients are kept away from
 * one that restarts. They are the host's alone: a build never says what happens to ports and rules.
 */

export const absolutePath = z.string().regex(/^\/[^\0]*$/, "an absolute path is required");

const port = z.int().min(1).max(65_535);

/** The keys that all ways to steer traffic have in common. */
const trafficCommon = {
  /** URL or tcp://host:port that is requested once, through the front, when traffic is on again. */
  probe: z.string().min(1).optional(),
  /** Timeout in seconds for each change of traffic and for that request. */
  timeout_s: z.number().positive().max(600).default(10),
  /** Phases whose failure or deadline does not call the restart off (forced phases). */
  force: z.array(z.enum(forcedByHost)).default([]),
};

/** What keeps new connections away from an instance that restarts (docs/restarts.md). */
export const trafficSection = z.discriminatedUnion("by", [
  /** Nothing does. */
  z.strictObject({ by: z.literal("none"), ...trafficCommon }),
  /**
   * A rule in an nftables table of our own spreads `port`, which clients use, over the ports of the instances that are
   * on.
   */
  z.strictObject({ by: z.literal("nft"), port, ...trafficCommon }),
  /** Like nft, with a chain of our own in iptables' nat table. */
  z.strictObject({
    by: z.literal("iptables"),
    port,
    /** Which kernel interface to use; unless given, the one that the `iptables` command uses. */
    variant: z.enum(["auto", "legacy", "nft"]).default("auto"),
    ...trafficCommon,
  }),
  /** An HAProxy on this host. */
  z.strictObject({
    by: z.literal("haproxy"),
    /** The socket of its runtime API, with level admin. */
    socket: absolutePath,
    backend: z.string().regex(/^[A-Za-z0-9_.:-]+$/, "a backend's name is required"),
    /** The name of the instance's server in that backend; `${DEPLOYD_INSTANCE}` is the instance. */
    server: z
      .string()
      .regex(/^[A-Za-z0-9_.:${}-]+$/, "a server's name is required")
      .default("${DEPLOYD_SERVICE}${DEPLOYD_INSTANCE}"),
    ...trafficCommon,
  }),
  /** New connections from other hosts are refused, so that a balancer outside sends its own elsewhere. */
  z.strictObject({ by: z.literal("reject"), ...trafficCommon }),
  /** Commands that agent.toml gives. */
  z.strictObject({ by: z.literal("hook"), off: z.string().min(1), on: z.string().min(1), ...trafficCommon }),
]);

export type TrafficSection = z.output<typeof trafficSection>;
export type TrafficCommon = Pick<TrafficSection, keyof typeof trafficCommon>;

export type TrafficKind = TrafficSection["by"];
export const trafficKinds: readonly TrafficKind[] = trafficSection.options.map(({ shape }) => shape.by.value);

export const rollingSection = z.strictObject({
  /** Instances that restart at once: a number, or a share such as "25%", rounded down, at least one. */
  batch: z
    .union([z.int().min(1), z.string().regex(/^([1-9]\d?|100)%$/, "a number or a percentage is required")])
    .default(1),
  /** How many instances are healthy and have traffic at any time; half of them, rounded up, unless given. */
  min_available: z.int().min(0).optional(),
});

export const environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a variable name is required"),
  z.string(),
);

export const instanceSection = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/, "letters, digits and _ . - are required, at most 32"),
  /** The port that the instance listens on; ${PORT} in the recipe. */
  port: port.optional(),
  /** Variables of this instance; they take precedence over those of the service. */
  env: environment.default({}),
});

interface CopiesAndTraffic {
  readonly instances?: readonly z.output<typeof instanceSection>[] | undefined;
  readonly rolling: z.output<typeof rollingSection>;
  readonly traffic: TrafficSection;
}

/** Back ends that forward connections to an instance's port, or keep them away from it. */
const NEEDS_PORTS: readonly TrafficKind[] = ["nft", "iptables", "reject"];

/** Problems that only show when several keys are compared. */
export function trafficProblems({
  instances,
  rolling,
  traffic,
}: CopiesAndTraffic): { path: string; message: string }[] {
  const problems: { path: string; message: string }[] = [];
  const all = instances ?? [];
  const twice = <T>(values: readonly T[]): T | undefined => values.find((value, at) => values.indexOf(value) !== at);
  const name = twice(all.map((instance) => instance.name));
  if (name !== undefined) problems.push({ path: "instances", message: `two instances are named "${name}"` });
  const ports = all.flatMap((instance) => instance.port ?? []);
  const shared = twice(ports);
  if (shared !== undefined) problems.push({ path: "instances", message: `two instances have port ${shared}` });
  if (NEEDS_PORTS.includes(traffic.by) && (all.length === 0 || ports.length < all.length)) {
    problems.push({
      path: "instances",
      message: `traffic by ${traffic.by} needs the port of each instance, as in instances = [{ name = "1", port = 8081 }]`,
    });
  }
  if ("port" in traffic && ports.includes(traffic.port)) {
    problems.push({
      path: "traffic.port",
      message: `${traffic.port} is the port of an instance, not the one in front`,
    });
  }
  const total = Math.max(1, all.length);
  const share = typeof rolling.batch === "string" ? Number.parseInt(rolling.batch, 10) / 100 : null;
  const batch = share === null ? Number(rolling.batch) : Math.max(1, Math.floor(share * total));
  if (rolling.min_available !== undefined && rolling.min_available > 0 && rolling.min_available + batch > total) {
    problems.push({
      path: "rolling.min_available",
      message: `${rolling.min_available} of ${total} instances in service leaves no batch of ${batch} to restart`,
    });
  }
  return problems;
}
