import { ARTEFACTS } from "./artefacts.ts";
import { recipeText } from "./builds.ts";
import type { HostService } from "./ground.ts";
import { TARGET, TARGET_KEY, TARGET_URL } from "./listener.ts";

/** Where an agent keeps its lock and its services. */
const AGENT_ROOT = "/srv/deployd";

export interface ServicePlan {
  readonly name: string;
  readonly instances?: number;
  readonly restart?: HostService["restart"];
  readonly traffic?: HostService["traffic"];
  readonly minAvailable?: number;
  /** The first instance's port is one more than this. */
  readonly port?: number;
}

/** How many instances of a host may restart at once. */
const BATCH = 1;

/** A service as a host of the rehearsal has it. */
export function hostService(plan: ServicePlan): HostService {
  const { name, instances: count = 1, restart = "command", traffic = "none", port = 8000 } = plan;
  return {
    name,
    root: `${AGENT_ROOT}/${name}`,
    instances: Array.from({ length: count }, (_, at) => ({ name: String(at + 1), port: port + at + 1 })),
    restart,
    traffic,
    frontPort: traffic === "nft" || traffic === "iptables" ? port : null,
    batch: BATCH,
    minAvailable: plan.minAvailable ?? (count === 1 ? 0 : Math.min(count - 1, Math.ceil(count / 2))),
    user: { name: `run-${name}`, uid: 1000, gid: 1000 },
  };
}

/** Every other host is in the other zone. */
function zoneOf(host: string): string {
  return Number(/\d+$/.exec(host)?.[0] ?? 0) % 2 === 0 ? "b" : "a";
}

/** The agent's own file for these services. */
export function agentFile(
  host: string,
  servers: string,
  services: readonly HostService[],
  sessionTimeoutS = 6,
  tells = false,
): string {
  return [
    `host = "${host}"`,
    `root = "${AGENT_ROOT}"`,
    `zone = "${zoneOf(host)}"`,
    "",
    "[zookeeper]",
    `servers = "${servers}"`,
    `session_timeout_s = ${sessionTimeoutS}`,
    "",
    ...(tells ? [`[notify.${TARGET}]`, `url_file = "${TARGET_URL.path}"`, `key_file = "${TARGET_KEY.path}"`, ""] : []),
    ...services.flatMap(serviceLines),
  ].join("\n");
}

function serviceLines({
  name,
  instances,
  restart,
  traffic,
  frontPort,
  batch,
  minAvailable,
  user,
}: HostService): string[] {
  const rows = instances.map(({ name, port }) => `{ name = "${name}", port = ${port} }`);
  return [
    `[services.${name}]`,
    `run_as = "${user.name}"`,
    `sources = ["${ARTEFACTS}"]`,
    `instances = [${rows.join(", ")}]`,
    `rolling = { batch = ${batch}, min_available = ${minAvailable} }`,
    `traffic = { by = "${traffic}"${frontPort === null ? "" : `, port = ${frontPort}`}${extra(traffic)} }`,
    "",
    // For builds that do not say it themselves.
    recipeText({ id: "", restart }).replaceAll(/^\[/gm, `[services.${name}.`),
  ];
}

function extra(traffic: HostService["traffic"]): string {
  switch (traffic) {
    case "haproxy":
      return ', socket = "/run/haproxy.sock", backend = "web"';
    case "hook":
      return ', off = "front off", on = "front on"';
    case "none":
    case "nft":
    case "iptables":
    case "reject":
      return "";
  }
}
