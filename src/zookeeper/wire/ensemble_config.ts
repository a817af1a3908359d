/** Where the servers keep which of them there are; the same for every chroot. */
export const configPath = "/zookeeper/config";

interface EnsembleMember {
  readonly id: number;
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
  readonly role: "participant" | "observer";
  /** Where it serves clients, as it says itself: `0.0.0.0` stands for all addresses. Undefined when it is not said. */
  readonly client: { readonly host: string | undefined; readonly port: number } | undefined;
}

/** The ensemble as its servers have agreed on it; a server that runs alone has no members. */
export interface EnsembleConfig {
  readonly members: readonly EnsembleMember[];
  /** Of the configuration: the id of the transaction that made it. */
  readonly version: bigint;
}

/** Reads the text of `/zookeeper/config`. Lines that are of no known form are left out. */
export function parseEnsembleConfig(text: string): EnsembleConfig {
  const members: EnsembleMember[] = [];
  let version = 0n;
  for (const line of text.split("\n").map((each) => each.trim())) {
    const versionMatch = /^version=([\da-f]{1,16})$/i.exec(line);
    if (versionMatch !== null) version = BigInt(`0x${versionMatch[1]}`);
    const member = parseMember(line);
    if (member !== undefined) members.push(member);
  }
  return { members, version };
}

const host = String.raw`\[[^\]]+\]|[^:;|[\]]+`;
const memberPattern = new RegExp(
  // A server may have further addresses after "|"; the first speaks for it.
  String.raw`^server\.(\d+)=(${host}):(\d+):(\d+)(?::(participant|observer))?(?:\|[^;]*)?(?:;(?:(${host}):)?(\d+))?$`,
);

function parseMember(line: string): EnsembleMember | undefined {
  const match = memberPattern.exec(line);
  if (match === null) return undefined;
  const [, id, quorumHost = "", quorumPort, electionPort, role, clientHost, clientPort] = match;
  return {
    id: Number(id),
    host: withoutBrackets(quorumHost),
    quorumPort: Number(quorumPort),
    electionPort: Number(electionPort),
    role: role === "observer" ? "observer" : "participant",
    client:
      clientPort === undefined
        ? undefined
        : { host: clientHost === undefined ? undefined : withoutBrackets(clientHost), port: Number(clientPort) },
  };
}

function withoutBrackets(text: string): string {
  return text.replace(/^\[|\]$/g, "");
}
