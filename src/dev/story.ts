import { exit, type ExitCode } from "../cli/exit.ts";
import { runOwnCtl } from "./ctl.ts";
import { askHost, assertAgentsRun, type MachineRoom } from "./machine_room.ts";

export interface StoryEffects {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/** One scene: a command, the exit code it must end with, and what the services must then answer over HTTP. */
interface Scene {
  readonly title: string;
  readonly args: readonly string[];
  readonly exit: number;
  readonly fleet: string;
  readonly canary: string;
}

const scenes: readonly Scene[] = [
  {
    title: "v1 goes to the whole fleet",
    args: ["deploy", "web", "v1", "--why", "the first build"],
    exit: 0,
    fleet: "200 hello from v1",
    canary: "200 hello from v1",
  },
  {
    title: "v2 goes to the canary host only",
    args: ["deploy", "web", "v2", "--canary", "--why", "a second line"],
    exit: 0,
    fleet: "200 hello from v1",
    canary: "200 hello from v2, now with a second line",
  },
  {
    title: "v2 is promoted to the fleet",
    args: ["promote", "web"],
    exit: 0,
    fleet: "200 hello from v2, now with a second line",
    canary: "200 hello from v2, now with a second line",
  },
  {
    title: "v3 is broken: the canary host takes itself back to v2, and the deploy halts",
    args: ["deploy", "web", "v3", "--canary", "--why", "what could go wrong"],
    exit: 3,
    fleet: "200 hello from v2, now with a second line",
    canary: "200 hello from v2, now with a second line",
  },
  {
    title: "v3 is rolled back by hand, which also bars it",
    args: ["rollback", "web", "--why", "it answers 500"],
    exit: 0,
    fleet: "200 hello from v2, now with a second line",
    canary: "200 hello from v2, now with a second line",
  },
  {
    title: "deploying v3 again is refused",
    args: ["deploy", "web", "v3"],
    exit: 75,
    fleet: "200 hello from v2, now with a second line",
    canary: "200 hello from v2, now with a second line",
  },
];

/** Plays the main use case from first deploy to rollback. Returns 0 if every scene ended as expected, else 1. */
export async function playStory(room: MachineRoom, effects: StoryEffects): Promise<ExitCode> {
  let failures = 0;
  for (const [index, scene] of scenes.entries()) {
    effects.print("");
    effects.print(`== ${index + 1}. ${scene.title}`);
    effects.print(`$ deployd ctl ${scene.args.map(quoted).join(" ")}`);
    const code = await runOwnCtl(room.connectString, scene.args, "inherit", effects.signal);
    effects.print(`exit ${code}${code === scene.exit ? "" : `, expected ${scene.exit}`}`);
    const right = await showAnswers(room, scene, effects.print);
    if (code !== scene.exit || !right) failures += 1;
    await assertAgentsRun(room);
  }
  effects.print("");
  effects.print("== What is on record");
  effects.print("$ deployd ctl history web");
  await runOwnCtl(room.connectString, ["history", "web"], "inherit", effects.signal);
  effects.print("");
  effects.print(failures === 0 ? "The story went as it should." : `${failures} of ${scenes.length} scenes went wrong.`);
  return failures === 0 ? exit.asked : exit.failed;
}

/** Asks every service over HTTP, prints the answers, and says whether they are the expected ones. */
async function showAnswers(room: MachineRoom, scene: Scene, print: (line: string) => void): Promise<boolean> {
  const answers = await Promise.all(
    room.hosts.map(async (host) => ({ host, answer: await askHost(host, room.clock) })),
  );
  const groups = new Map<string, string[]>();
  let right = true;
  for (const [index, { host, answer }] of answers.entries()) {
    groups.set(answer, [...(groups.get(answer) ?? []), host.name]);
    const expected = index === 0 ? scene.canary : scene.fleet;
    if (answer !== expected) {
      right = false;
      print(`   ${host.name} answers "${answer}", expected "${expected}"`);
    }
  }
  for (const [answer, names] of groups) print(`   over HTTP: "${answer}" from ${names.length} (${names.join(", ")})`);
  return right;
}

function quoted(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word}'`;
}
