import { expect, test } from "bun:test";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostMachine } from "../../src/host/machine.ts";
import { JOURNAL_VERSION } from "../../src/schema/journal.ts";
import { unreadSnapshot, type WishSnapshot } from "../../src/store/read_wish.ts";
import { systemClock } from "../../src/support/clock.ts";
import { forward, places } from "../core/journals.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { openAgent } from "./one_service.ts";

const nobody = {
  ready: () => {},
  status: () => {},
  stopping: () => {},
  watchdog: () => {},
  watchdogMs: null,
  whyLeftDown: async () => null,
};
const wishOf = (deploy: string): WishSnapshot => ({
  ...unreadSnapshot,
  target: { kind: "build", build: "v2", deploy },
  problem: "",
});

test("a host that cannot go by its journal touches nothing and says so, until the journal is put right", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.json");
  await mkdir(join(dir.path, "releases", "v1"), { recursive: true });
  await symlink("releases/v1", join(dir.path, "current"));
  const warming = { ...forward, phase: { kind: "warming" } };
  const text = JSON.stringify({ ...places.forward, version: JOURNAL_VERSION + 1, activation: warming });
  await writeFile(path, text);

  const { agent, session, said, touched } = await openAgent(hostMachine(systemClock, nobody, {}), dir.path);
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
    expect((await readdir(dir.path)).toSorted()).toEqual(["builds", "current", "releases", "state.json"]);
    expect(touched).toEqual([]);

    await writeFile(path, JSON.stringify(places.failed));
    agent.onSnapshot(wishOf("d2"));
    await eventually(() => said.find(({ step, error }) => step === "failed" && error?.code === "check-failed"));
    await eventually(() => touched.includes("steer"));
  } finally {
    stop.abort();
    await running;
  }
});
