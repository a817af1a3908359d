import { importsOf, type Source } from "./sources.ts";

/** What everything in the package may know. They know one another, and no room but wire/, for what a path is. */
const shared = ["errors.ts", "clock.ts", "znode.ts", "connect_string.ts", "dial.ts", "options.ts", "state.ts"];

/** Who may import whom within src/zookeeper. A public file or a room that is not named here may not exist. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  "clock.ts": [],
  "znode.ts": [],
  "state.ts": ["errors.ts"],
  "connect_string.ts": ["wire"],
  "dial.ts": ["clock.ts", "connect_string.ts"],
  "options.ts": ["clock.ts", "dial.ts"],
  // Bytes alone: no time, no network.
  wire: ["errors.ts", "znode.ts"],
  // One connection to one server, and which server is next.
  connection: [...shared, "wire"],
  // One session over as many connections as it takes.
  session: [...shared, "wire", "connection"],
  "client.ts": [...shared, "wire", "session"],
  // Nodes that outlive a session, made of what every user of a client can call.
  ephemeral: [...shared, "client.ts"],
  "session.ts": [...shared, "client.ts", "session", "ephemeral"],
  // The other side of the wire: it knows nothing of the client.
  server: ["errors.ts", "clock.ts", "znode.ts", "dial.ts", "wire"],
};

const ROOM = "zookeeper/";
/** Of the server's files the one that its users import. */
const PUBLIC_SERVER = "server/dev_server.ts";

export function innerArrowProblems(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith(ROOM))
    .flatMap((source) => {
      const from = partOf(source.path);
      const may = allowed[from];
      if (may === undefined) return [`${source.path}: there is no public file and no room "${from}" in the package`];
      return importsOf(source).flatMap(({ target }) => {
        if (target === null || !target.startsWith(ROOM)) return [];
        const to = partOf(target);
        return to === from || may.includes(to) ? [] : [`${source.path} imports ${target}: ${from} may not know ${to}`];
      });
    });
}

/** Whoever imports from outside the package what is not public; `path` and the targets are relative to src/. */
export function innerImportProblems(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !path.startsWith(ROOM))
    .flatMap((source) =>
      importsOf(source).flatMap(({ target }) => {
        if (target === null || !target.startsWith(ROOM)) return [];
        const inside = target.slice(ROOM.length);
        const open = !inside.includes("/") || inside === PUBLIC_SERVER;
        return open ? [] : [`${source.path} imports ${target}, which is no public file of the package`];
      }),
    );
}

/** A public file by its name, every other file by its room. */
function partOf(path: string): string {
  return path.slice(ROOM.length).split("/")[0] ?? "";
}
