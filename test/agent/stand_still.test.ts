import { expect, test } from "bun:test";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentConfig } from "../../src/agent/config.ts";
import { Front } from "../../src/agent/front.ts";
import { GateKeeper } from "../../src/agent/gate_keeper.ts";
import { JournalFile } from "../../src/agent/journal_file.ts";
import { ServiceAgent } from "../../src/agent/service_agent.ts";
import { ServiceHost } from "../../src/agent/service_host.ts";
import { ServiceState } from "../../src/agent/service_state.ts";
import { hostMachine } from "../../src/host/machine.ts";
import { JOURNAL_VERSION } from "../../src/schema/journal.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { Files } from "../../src/steps/files.ts";
import { unreadSnapshot, type WishSnapshot } from "../../src/store/follow.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { systemClock } from "../../src/support/clock.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { forward, places } from "../core/journals.ts";
import { eventually } from "../support/eventually.ts";
import { knownFormat } from "../support/format.ts";
import { tempDir } from "../support/tempdir.ts";

const nobody = { ready: () => {}, status: () => {}, stopping: () => {}, watchdog: () => {}, watchdogMs: null };
const wishOf = (deploy: string): WishSnapshot => ({
  ...unreadSnapshot,
  target: { kind: "build", build: "v2", deploy },
  problem: "",
});

/** One service of an agent that ZooKeeper never answers. */
async function openAgent(root: string) {
  const config = agentConfig('[zookeeper]\nservers = "nowhere:1"\n[services.web]\n', "agent.toml", {}, "box");
  const section = config.services["web"];
  if (section === undefined) throw new Error("the service is gone from the file");
  const machine = hostMachine(systemClock, nobody);
  const files = new Files(machine.disk, systemClock);
  const session = new Session({
    clock: systemClock,
    servers: "nowhere:1",
    dial: () => Promise.reject(new Error("nobody is there")),
    lookup: async () => [],
  });
  const publisher = new StatusPublisher(session, "web", "box", knownFormat, systemClock);
  const journal = await JournalFile.open(files, join(root, "state.json"), () => {});
  const said: HostStatus[] = [];
  const state = new ServiceState(
    "web",
    journal,
    () => systemClock.now(),
    (status) => said.push(status),
  );
  const touched: string[] = [];
  const traffic = {
    steer: async () => void touched.push("steer"),
    taken: async () => {},
    busy: async () => null,
    refused: async () => null,
    remove: async () => void touched.push("remove"),
  };
  const bootId = "boot 1";
  const front = new Front({ by: "nft", traffic, instances: ["1"], journal, bootId, timeoutMs: 1, former: () => null });
  const agent = new ServiceAgent({
    host: new ServiceHost({ machine, files, config, section, root, user: undefined, state, front }),
    state,
    gate: new GateKeeper(session, "web", "box", publisher, knownFormat, systemClock),
    heavy: (work) => work(),
    log: () => {},
    onStep: () => {},
    onEnd: () => {},
  });
  return { agent, session, said, touched };
}

test("a host that cannot go by its journal touches nothing and says so, until the journal is put right", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.json");
  await mkdir(join(dir.path, "releases", "v1"), { recursive: true });
  await symlink("releases/v1", join(dir.path, "current"));
  const warming = { ...forward, phase: { kind: "warming" } };
  const text = JSON.stringify({ ...places.forward, version: JOURNAL_VERSION + 1, activation: warming });
  await writeFile(path, text);

  const { agent, session, said, touched } = await openAgent(dir.path);
  await using _ = session;
  const stop = new AbortController();
  const running = agent.run({ soon: stop.signal, now: stop.signal });
  try {
    agent.onSnapshot(wishOf("d2"));
    const told = await eventually(() => said.find(({ error }) => error !== null));
    expect(told).toMatchObject({
      attempt: 4,
      // It is looked after all the same: nothing of it runs.
      health: "unhealthy",
      step: "idle",
      error: { code: "journal-unreadable", hint: expect.stringContaining("Put the newer agent back") },
    });
    // A newer wish makes it look again, and nothing else.
    said.length = 0;
    agent.onSnapshot(wishOf("d3"));
    await eventually(() => said.find(({ error, wish }) => error !== null && wish?.deploy === "d3"));
    expect(await readFile(path, "utf8")).toBe(text);
    expect((await readdir(dir.path)).toSorted()).toEqual(["current", "releases", "state.json"]);
    expect(touched).toEqual([]);

    await writeFile(path, JSON.stringify(places.reported));
    agent.onSnapshot(wishOf("d2"));
    await eventually(() => said.find(({ step, error }) => step === "failed" && error?.code === "check-failed"));
    await eventually(() => touched.includes("steer"));
  } finally {
    stop.abort();
    await running;
  }
});
