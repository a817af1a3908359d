import { expect, test } from "bun:test";
import { emptyJournal } from "../../src/schema/journal.ts";
import { type Target } from "../../src/core/targets.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { addBuild } from "../../src/store/builds.ts";
import { followWish } from "../../src/store/follow.ts";
import { canaryPath, enabledPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { registerHost, setRole } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { op } from "../../src/zookeeper/client.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { knownFormat } from "../harness/format.ts";
import { Stage } from "./zookeeper/stage.ts";

const FAR_MS = 100;

const wish = (build: string): Wish => ({ build, deploy: `20270101-000000-000${build.slice(1)}` });

test("a canary host whose wish moves from one node to the other between two reads follows no older one", () => {
  const stage = new Stage("torn", 1);
  const [zookeeper] = stage.ensemble.servers;
  stage.network.between("host-1", zookeeper?.name ?? "", { latencyMs: FAR_MS });
  stage.play(async () => {
    const person = stage.client("laptop");
    await setService(person, "web", {});
    const now = new Date(0);
    for (const build of ["v1", "v2", "v3"]) {
      const digest: `sha256:${string}` = `sha256:${"0".repeat(63)}${build.slice(1)}`;
      await addBuild(person, "web", build, { url: `file:///${build}.tar`, digest, size: 1, time: now.toISOString() });
    }
    await registerHost(person, "web", "host-1");
    await setRole(person, "web", "host-1", "canary");
    await person.set(enabledPath("web"), encode(wish("v1")));
    await person.create(canaryPath("web"), encode(wish("v2")));

    // The host asks for its canary wish, and before that is read the fleet is wished another build, and the canary nothing.
    let isMoved = false;
    const { options, clock } = stage.seat("host-1", {
      onRequest: ({ path }) => {
        if (path === canaryPath("web") && !isMoved) {
          isMoved = true;
          const move = [op.set(enabledPath("web"), encode(wish("v3"))), op.delete(canaryPath("web"))];
          person.multi(move).catch((error: unknown) => stage.errors.push(error));
        }
        return "pass";
      },
    });
    const session = new Session(options);
    const followed: Target[] = [];
    const stop = new AbortController();
    const following = followWish(
      {
        session,
        format: knownFormat,
        service: "web",
        host: "host-1",
        clock,
        remembered: () => emptyJournal,
        onSnapshot: ({ target }) => void followed.push(target),
        onProblem: (error) => void stage.errors.push(error),
      },
      stop.signal,
    );
    await stage.until(() => followed.length > 0);
    await stage.sleep(20 * FAR_MS);
    stop.abort();
    await following;
    expect(isMoved).toBe(true);
    expect(stage.errors).toEqual([]);
    expect([...new Set(followed.map((target) => JSON.stringify(target)))]).toEqual([
      JSON.stringify({ kind: "build", build: "v3", deploy: wish("v3").deploy }),
    ]);
    await session.close();
  });
});
