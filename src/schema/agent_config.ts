import { z } from "zod";
import { checkSection, drainSection, installSection, restartSection } from "./recipe.ts";
import {
  absolutePath,
  environment,
  instanceSection,
  rollingSection,
  trafficProblems,
  trafficSection,
} from "./traffic_sections.ts";
import { parseIpNetwork } from "./ip_network.ts";
import { hostName, serviceName, targetName, zoneName } from "./names.ts";

/*
 * `agent.toml`: what this host is and what it accepts. ZooKeeper says which build is wished, the build says what runs,
 * and only this file says what the host allows; nothing in it can be changed from ZooKeeper.
 */

/** The URL of builds, or of a directory above them. */
const sourceUrl = z.string().superRefine((text, context) => {
  const problem = sourceProblem(text);
  if (problem !== null) context.addIssue({ code: "custom", message: problem });
});

/** The message never contains the text itself: it may have a password in it. */
function sourceProblem(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:", "file:"].includes(url.protocol)) {
    return "a URL is required, as in https://builds.example.com/web/ or file:///mnt/builds/";
  }
  if (url.username !== "" || url.password !== "") {
    return 'a source must not contain a password; name a file with it under [sources."https://builds.example.com"]';
  }
  return url.search === "" && url.hash === "" ? null : "a source ends with its path: it must not have a ? or a #";
}

/** How this host logs in at a source. It contains only the names of files, so that it can be shown. */
const sourceLogin = z
  .strictObject({
    /** A file with `user:password`. */
    basic_auth_file: absolutePath.optional(),
    /** A file with lines of `Name: value`. */
    headers_file: absolutePath.optional(),
  })
  .refine((login) => login.basic_auth_file !== undefined || login.headers_file !== undefined, {
    message: "basic_auth_file or headers_file is required",
  });

/** `address:port`; port 0 is a free one. */
export const listenAddress = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:]+):\d{1,5}$/, "address:port is required");

export const ipNetwork = z
  .string()
  .refine((text) => parseIpNetwork(text) !== null, "a network is required, as in 10.0.0.0/8 or 10.0.0.7");
/** Whom this host tells what becomes of deploys while it conducts. It contains only the names of files, as a login does. */
const notifyTarget = z
  .strictObject({
    /** A file with the URL, which with Slack's incoming webhooks is the secret itself. */
    url_file: absolutePath,
    /** A file with the key that requests are signed by. */
    key_file: absolutePath.optional(),
    format: z.enum(["json", "slack"]).default("json"),
    /** Whether the URL may be an http one of another host. */
    allow_http: z.boolean().default(false),
  })
  .refine((target) => target.format === "slack" || target.key_file !== undefined, {
    message:
      'key_file is required, since whoever is told must be able to tell us from others; only format = "slack" goes without',
  });

const askedHost = z
  .string()
  .refine(
    (text) => (/[:/]/.test(text) ? parseIpNetwork(text) !== null : /^[A-Za-z0-9._-]{1,253}$/.test(text)),
    "a name, an address or a network is required, as in db.example.com, 10.0.0.7 or 10.0.0.0/24",
  );

const serviceSection = z.strictObject({
  /** The service's directory; `<root>/<service>` unless given. */
  root: absolutePath.optional(),
  /** URL prefixes that builds may be fetched from. Required when the agent runs as root. */
  sources: z.array(sourceUrl).min(1).optional(),
  /** The hosts that a build's check and drain URLs may send requests to besides this one: names, addresses, networks. */
  check_hosts: z.array(askedHost).default([]),
  /** Whether the status may quote the answer to a failed http check. */
  quote_answers: z.boolean().default(false),
  /** User that install, restart and check commands run as. Required when the agent runs as root. */
  run_as: z.string().min(1).optional(),
  /** Variables for the commands, and for ${NAME} in the recipe's URLs, addresses and paths. */
  env: environment.default({}),
  /** The instances of the service on this host; a single one without a port unless given. */
  instances: z.array(instanceSection).min(1).max(256).optional(),
  rolling: rollingSection.prefault({}),
  traffic: trafficSection.prefault({ by: "none" }),
  /** What a build may have restarted: systemd units, directories of runit and s6, programs of supervisord. */
  units: z.array(z.string().min(1)).optional(),
  /** Pid files outside the service's directory whose processes a build may have signalled. */
  pid_files: z.array(absolutePath).default([]),
  /** Configuration file by which supervisorctl finds its supervisord. */
  supervisord_config: absolutePath.optional(),
  /** Whether an operator may have the service stopped here for good, by `ctl hosts leave`. */
  may_leave: z.boolean().default(true),
  /** Used for builds without a deployd.toml. */
  install: installSection.optional(),
  restart: restartSection.optional(),
  drain: drainSection.optional(),
  check: checkSection.optional(),
});

const NO_SERVERS = 'fill in the ZooKeeper servers, as in "zk1:2181,zk2:2181,zk3:2181", or set DEPLOYD_ZOOKEEPER';
/** The limits for unpacking a build where agent.toml gives none. */
export const DEFAULT_LIMITS = { unpacked_bytes: 20 * 1024 ** 3, entries: 2_000_000 } as const;

export const agentConfigSchema = z.strictObject({
  /** Name of this host in ZooKeeper; the machine's host name unless given. */
  host: hostName.optional(),
  zone: zoneName.optional(),
  /** Where services live. */
  root: absolutePath.default("/srv/deployd"),
  zookeeper: z.strictObject({
    /** `host:port,host:port`, tried in random order. */
    servers: z.string(NO_SERVERS).min(1, NO_SERVERS),
    chroot: z
      .string()
      .regex(/^\/[^\0]*[^/\0]$|^\/$/, "a chroot starts with / and does not end with it")
      .default("/deployd"),
    session_timeout_s: z.number().min(1).max(600).default(10),
    /** `user:password` of a digest login. It is better given as DEPLOYD_ZOOKEEPER_DIGEST than in a file. */
    digest: z
      .string()
      .regex(/^[^:]+:.+$/, "user:password is required")
      .optional(),
  }),
  status: z
    .strictObject({
      /** `address:port` at which /status is served; port 0 takes a free one. */
      listen: listenAddress.default("127.0.0.1:9876"),
    })
    .prefault({}),
  /** The fleet for a browser, at the status port. It only shows. */
  page: z
    .strictObject({
      /** Whether this agent shows it at all. */
      show: z.boolean().default(true),
      /** The networks that it is shown to. */
      from: z.array(ipNetwork).default(["127.0.0.0/8", "::1/128"]),
      /** Names of this machine, beside its own, by which it may be asked for. */
      names: z.array(hostName).default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Releases kept per service, in addition to the current, previous and wished ones and those in use. */
      releases: z.int().min(1).max(1000).default(5),
      /** Bytes a build may unpack to. */
      unpacked_bytes: z.int().min(1).default(DEFAULT_LIMITS.unpacked_bytes),
      /** Files, directories and links a build may unpack to. */
      entries: z.int().min(1).default(DEFAULT_LIMITS.entries),
      /** Bytes kept of one step's output. */
      log_bytes: z
        .int()
        .min(1024)
        .default(1024 * 1024),
      /** Seconds for which a download that makes no progress is retried before the host gives the build up. */
      fetch_deadline_s: z.number().min(0).max(604_800).default(900),
      /** The most tries of one download, where fewer are wanted than fetch_deadline_s leaves time for. */
      fetch_attempts: z.int().min(1).max(100).optional(),
    })
    .prefault({}),
  /** Credentials by URL; they are sent to that URL and to everything below it. */
  sources: z
    .record(
      sourceUrl.refine(
        (text) => !text.startsWith("file:"),
        "a file needs no login; an http or https source is required",
      ),
      sourceLogin,
    )
    .default({}),
  /** Targets by name; the settings of services name them. */
  notify: z.record(targetName, notifyTarget).default({}),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  services: z.record(serviceName, serviceSection).superRefine((services, context) => {
    if (Object.keys(services).length === 0) {
      context.addIssue({ code: "custom", message: "at least one service is required, as in [services.web]" });
    }
    for (const [service, section] of Object.entries(services)) {
      for (const { path, message } of trafficProblems(section)) {
        context.addIssue({ code: "custom", path: [service, ...path.split(".")], message });
      }
    }
  }),
});

export type AgentConfig = z.output<typeof agentConfigSchema>;
export type NotifyTargets = AgentConfig["notify"];
export type SourceLogins = AgentConfig["sources"];
export type ServiceConfig = z.output<typeof serviceSection>;
