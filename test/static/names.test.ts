import { expect, test } from "bun:test";
import { codeOf, readSources, type Source } from "./sources.ts";

/*
 * One word, one thing (docs/adr/0031). What was renamed because it named two things must not come back, and a name that one
 * file gives away is given away by no other.
 */

/** Names that meant two things, with what says each of them now. */
const former: readonly (readonly [name: RegExp, now: string])[] = [
  [/\bDeployFront\b|\breadFront\b/, "ServiceHead: a service's wishes and newest deploy"],
  [/\bclass Front\b/, "TrafficControl: a host's hand on the traffic of its instances"],
  [/\b[A-Z]\w*Ports\b(?<!InstancePorts|FreePorts)/, "...Effects: what acts on the world; a port is one of TCP"],
  [/\bverifyFront\b|traffic\.verify\b/, "probe: one request through the front; to verify is to compare a digest"],
  [/\bGateKeeper\b/, "HostSlot: a host's dealings with its slot"],
  [/\bManifests\b|\bparseManifest\b|\bMANIFEST_FILE\b/, "recipe: deployd.toml; the manifest stands beside an archive"],
  [/\bRoll\b|\bRollCounts\b|\brollOf\b|\blastRoll\b|\brollBatch\b/, "restart: of one host; a roll goes over the fleet"],
  [/\bLinkState\b/, "CurrentLink: where `current` points"],
];

function formerNames(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const code = codeOf(text);
    return former.filter(([name]) => name.test(code)).map(([name, now]) => `${path} says ${name.source}: it is ${now}`);
  });
}

const EXPORTED = /^export (?:abstract )?(?:async )?(?:class|interface|type|const|enum|function\*?) (\w+)/gm;

/** In the package that knows nothing of the rest, a word may mean what it means to ZooKeeper. */
const packages = ["zookeeper/"];

function sharedNames(sources: readonly Source[]): string[] {
  const homes = new Map<string, string[]>();
  for (const { path, text } of sources) {
    const home = packages.find((each) => path.startsWith(each)) ?? "";
    for (const [, name = ""] of codeOf(text).matchAll(EXPORTED)) {
      const key = `${home}${name}`;
      homes.set(key, [...(homes.get(key) ?? []), path]);
    }
  }
  return [...homes].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(", ")}`);
}

const sources = await readSources();

test("no name that meant two things is used again", () => {
  expect(formerNames(sources)).toEqual([]);
});

test("no two files give away the same name", () => {
  expect(sharedNames(sources)).toEqual([]);
});

test.each([
  "const head: DeployFront = x;",
  "class Front {}",
  "interface ProbePorts {}",
  "function f(keeper: GateKeeper) {}",
  "parseManifest(text);",
  "let roll: Roll;",
  "let current: LinkState;",
])("found: %s", (text) => {
  expect(formerNames([{ path: "a.ts", text }])).toHaveLength(1);
});

test("a name in two files is found, and not what a package of its own calls by it", () => {
  const text = "export function pause() {}";
  const [a, b, c] = ["support/a.ts", "store/b.ts", "zookeeper/c.ts"].map((path) => ({ path, text }));
  if (a === undefined || b === undefined || c === undefined) throw new Error("unreachable");
  expect(sharedNames([a, b])).toEqual(["pause: support/a.ts, store/b.ts"]);
  expect(sharedNames([a, c])).toEqual([]);
});
