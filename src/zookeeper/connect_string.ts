import { pathProblem } from "./wire/node_paths.ts";

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface ConnectString {
  readonly servers: readonly Server[];
  /** "" or an absolute path. */
  readonly chroot: string;
}

const defaultPort = 2181;

export function serverName(server: Server): string {
  return server.host.includes(":") ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}

/**
 * Parses `host1:2181,[::1]:2181/chroot`. The port may be left out (2181), an IPv6 address with a port stands in brackets.
 * @throws TypeError naming the part that is wrong
 */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf("/");
  const hosts = slash === -1 ? text : text.slice(0, slash);
  const chroot = slash === -1 ? "" : text.slice(slash);
  const problem = chroot === "" ? undefined : pathProblem(chroot);
  if (problem !== undefined) throw new TypeError(`The chroot "${chroot}" of "${text}" is not a path: ${problem}.`);
  const servers = hosts
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => parseServer(part, text));
  if (servers.length === 0) throw new TypeError(`"${text}" names no server; expected host:port[,host:port][/chroot].`);
  return { servers, chroot: chroot === "/" ? "" : chroot };
}

function parseServer(part: string, text: string): Server {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(part);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: parsePort(bracketed[2], part, text) };
  // Two colons and no brackets: an IPv6 address without a port.
  if (/^[\da-f.]*:[\da-f.]*:[\da-f:.]*$/i.test(part)) return { host: part, port: defaultPort };
  const plain = /^([^:[\]\s]+)(?::(\d+))?$/.exec(part);
  if (plain === null) throw new TypeError(`"${part}" of "${text}" is not host, host:port or [IPv6]:port.`);
  return { host: plain[1] ?? "", port: parsePort(plain[2], part, text) };
}

function parsePort(digits: string | undefined, part: string, text: string): number {
  if (digits === undefined) return defaultPort;
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new TypeError(`The port in "${part}" of "${text}" is not 1 to 65535.`);
  return port;
}
