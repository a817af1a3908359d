import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { canMakeGroups } from "../../src/host/control_group.ts";
import { userByName } from "../../src/host/users.ts";
import { systemClock } from "../../src/support/clock.ts";
import { withFleet } from "../harness/fleet.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const isRoot = process.getuid?.() === 0;

/** As `useradd --system` makes users: the home that is written in passwd does not exist. */
const HOMELESS = "nobody";
const SEEN = '"$HOME $(umask) $(ulimit -Sn)"';

const site: Site = {
  id: "v1",
  install: [
    `echo ${SEEN} > seen; mkdir "$HOME/.npm" && touch "$HOME/.npmrc"`,
    "setsid env -i sh -c 'echo $$ > daemon.new; mv daemon.new daemon; exec sleep 300' & while ! [ -e daemon ]; do sleep 0.01; done",
  ],
  beforeStart: `echo ${SEEN} > "$DEPLOYD_SHARED/run/seen"; ls "$HOME" > /dev/null || exit 9`,
};

test.if(isRoot)(
  "a build's commands have a home and the usual umask and limits, whatever their user and the agent's starter have, and leave no daemon",
  async () => {
    const host = () => ({ runAs: HOMELESS, startedWith: "umask 027; ulimit -Sn 700" });
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, host }, async (fleet) => {
      await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1");
      expect(await fleet.answers()).toEqual([answerOf(site)]);
      const { root } = fleet.host(1);
      const home = join(root, "home");
      const seen = `${home} 0022 1024\n`;
      expect(await readFile(join(root, "current/seen"), "utf8")).toBe(seen);
      expect(await readFile(join(root, "shared/run/seen"), "utf8")).toBe(seen);
      expect(await stat(home)).toMatchObject({ uid: userByName(HOMELESS).uid, mode: 0o040700 });
      for (const path of [root, join(root, "releases"), join(root, "current/.")]) {
        expect({ path, mode: (await stat(path)).mode & 0o777 }).toEqual({ path, mode: 0o755 });
      }
      const daemon = await readFile(join(root, "current/daemon"), "utf8");
      if (await canMakeGroups(systemClock)) expect(existsSync(`/proc/${daemon.trim()}/exe`)).toBe(false);
    });
  },
  TEST_MS,
);
