import { describe, expect, test } from "bun:test";
import { agentPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Site } from "../store/site.ts";
import { countingDial, type Asked } from "./counting_dial.ts";
import { ctl } from "./terminal.ts";

/** Long enough for all that a command asks at once to have left before the first answer of it comes. */
const ANSWERED_AFTER_MS = 30;

/** What each verb asks of a service with so many hosts. */
async function asked(hosts: number, ...verbs: (readonly string[])[]): Promise<Asked[]> {
  await using server = await startDevServer({ clock: systemClock });
  await using site = await Site.open(server.connectString, "/tree");
  for (let each = 0; each < hosts; each += 1) await site.host(`web-${each}`);
  await site.deploy("d1", "v1");
  // One of whom only its last word is there.
  await site.zk.delete(agentPath("web-0"));
  server.faults.delayMs = ANSWERED_AFTER_MS;
  const results: Asked[] = [];
  for (const argv of verbs) {
    const { dial, asked: counted } = countingDial();
    const env = { DEPLOYD_ZOOKEEPER: server.connectString, DEPLOYD_CHROOT: "/tree" };
    const { code, stdout } = await ctl([...argv, "--json"], { env, dial });
    expect(code).toBe(0);
    expect(stdout.match(/"connected":true/g)).toHaveLength(hosts - 1);
    results.push(counted);
  }
  return results;
}

describe("a look at a fleet takes a handful of round trips, and requests by batches of hosts", () => {
  // The format of the tree, who is out of service, what else is there, what it says, and the builds.
  test.each([
    [3, 1],
    [60, 1],
    // A record, a status and an agent for each, and 200 of them in a batch.
    [300, 5],
  ])("%i hosts", async (hosts, batches) => {
    const [one, all, list] = await asked(hosts, ["status", "web"], ["status"], ["hosts", "list", "web"]);
    // Where hosts wait for a slot, the rules between services are read, too.
    const rules = ["getChildren2", "getData"];
    const names = ["getData", ...repeated("multiRead", 2 + batches), "getData", ...rules];
    expect(one).toEqual({ names, roundTrips: 7 });
    expect(all?.roundTrips).toBe(6);
    expect(all?.names).toHaveLength(5 + batches);
    expect(list).toEqual({ names: ["getData", ...repeated("multiRead", 1 + batches)], roundTrips: 3 });
  });
});

function repeated(name: string, times: number): string[] {
  return Array.from({ length: times }, () => name);
}
