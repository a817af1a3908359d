import { expect, test } from "bun:test";
import { DeployError } from "../../src/core/errors.ts";
import { emptyJournal } from "../../src/schema/journal.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { unreadSnapshot, type WishSnapshot } from "../../src/store/read_wish.ts";
import { stage } from "../sim/host/stage.ts";
import { openAgent } from "./one_service.ts";

/** A host that has taken up v2, and whose downloads end as `download` says; a wish for v3 comes in the middle of one. */
async function overtaken(download: Machine["network"]["download"]) {
  const world = stage("overtaken");
  const { host, service } = world;
  const wish = (id: string, deploy: string): WishSnapshot => {
    const build = world.build({ id });
    return { ...unreadSnapshot, target: { kind: "build", build: id, deploy }, build: build.record(build.url) };
  };
  const journal = { ...emptyJournal, attempt: { number: 4, deploy: "d2", build: "v2" } };
  host.disk.append(host.disk.create(`${service.root}/state.json`), Buffer.from(JSON.stringify(journal)));
  const { machine } = host.newLife();
  const asked: string[] = [];
  const opened = await world.play(
    openAgent(
      {
        ...machine,
        network: {
          ...machine.network,
          download: (request) => {
            asked.push(request.url);
            return asked.length === 1 ? download(request) : new Promise(() => {});
          },
        },
      },
      service.root,
    ),
  );
  const { agent } = opened;
  const { signal } = new AbortController();
  agent.onSnapshot(wish("v2", "d2"));
  void agent.run({ soon: signal, now: signal });
  world.pass(1_000);
  expect(asked).toHaveLength(1);
  agent.onSnapshot(wish("v3", "d3"));
  world.pass(60_000);
  return { journal: opened.journal.now, asked };
}

test.each(["aborted", "fetch-failed", "disk-full", "internal"] as const)(
  "a download that a newer wish interrupts is no failure of the older build, though it ends as %s",
  async (code) => {
    const { journal, asked } = await overtaken(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new DeployError("the connection is gone", { code })));
        }),
    );
    expect(journal).toMatchObject({ attempt: { number: 5, deploy: "d3", build: "v3" }, failed: null });
    expect(asked).toHaveLength(2);
  },
);
