import { describe, expect, test } from "bun:test";
import { journalAfter, type JournalEvent } from "../../src/core/journal.ts";
import { noCounts, restartOf } from "../../src/core/restart_progress.ts";
import type { Journal, StepFailure } from "../../src/schema/journal.ts";
import { failure, forward, places, samples, second, type Place } from "./journals.ts";

const placeNames = Object.keys(places) as Place[];

/** The places at which each event may come; at all others it is refused. */
const origins: Readonly<Record<JournalEvent["kind"], readonly Place[]>> = {
  followed: placeNames,
  "taken-up": ["empty", "taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  "seen-served": ["taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  "install-begun": ["empty", "taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  condemned: ["taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  begun: ["taken up", "booted", "reviving", "leaving", "left", "returning", "installing"],
  abandoned: ["forward", "batch begun", "rolled", "checked"],
  "nothing-to-restart": ["forward", "batch begun", "rolled", "checked", "back", "batch begun back", "rolled back"],
  "batch-begun": ["forward", "batch begun", "back", "batch begun back"],
  "batch-ended": ["batch begun", "batch begun back"],
  rebooted: ["forward", "batch begun", "rolled", "checked", "back", "batch begun back", "rolled back"],
  checked: ["rolled", "checked"],
  proven: ["checked", "proven"],
  finished: ["proven"],
  settled: ["taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  "turned-back": ["forward", "batch begun", "rolled", "checked", "back", "batch begun back", "rolled back"],
  "given-up": ["back", "batch begun back", "rolled back", "stuck"],
  "revival-begun": ["booted", "reviving"],
  revived: ["reviving"],
  "boot-over": ["empty", "taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  "leave-begun": ["empty", "taken up", "booted", "reviving", "leaving", "left", "returning", "installing", "failed"],
  left: ["leaving"],
  "return-begun": ["leaving", "left"],
  returned: ["returning"],
  outlived: placeNames,
  traffic: ["batch begun", "batch begun back", "leaving", "left"],
};

describe.each(Object.values(samples))("$kind", (event) => {
  test.each(placeNames.map((place) => [place, origins[event.kind].includes(place)] as const))(
    "at %s, legal: %p",
    (place, legal) => {
      const change = () => journalAfter(places[place], event);
      if (legal) expect(change).not.toThrow();
      else expect(change).toThrow(`Cannot write "${event.kind}" into the journal: `);
    },
  );
});

/** What the event changes, field by field. */
function changes(place: Place | Journal, event: JournalEvent): Partial<Journal> {
  const before: Journal = typeof place === "string" ? places[place] : place;
  const after = journalAfter(before, event);
  return Object.fromEntries(
    Object.entries(after).filter(([name, value]) => !Bun.deepEquals(value, before[name as keyof Journal])),
  );
}

describe("before the activation", () => {
  test("the highest number that was followed is kept by node, and never a lower one", () => {
    expect(changes("empty", samples.followed)).toEqual({ followed: { enabled: 3, canary: 0 } });
    expect(changes("taken up", { ...samples.followed, node: "canary" })).toEqual({
      followed: { enabled: 2, canary: 3 },
    });
    expect(() => journalAfter(places["taken up"], { ...samples.followed, number: 1 })).toThrow(
      "the number 1 is lower than 2",
    );
  });

  test("a wish gets a number that no wish had before", () => {
    expect(changes("taken up", samples["taken-up"])).toEqual({
      attempt: { number: 5, deploy: "d3", build: "v3", again: 1 },
    });
    expect(changes("empty", { ...samples["taken-up"], number: 0 })).toMatchObject({ attempt: { number: 0 } });
    expect(() => journalAfter(places["taken up"], { ...samples["taken-up"], number: 4 })).toThrow(
      "the number 4 does not follow on 4",
    );
  });

  test("the beginnings of an install are counted by build and deploy, also of a build that is only to be ready", () => {
    const ready = { kind: "install-begun", deploy: "staged", build: "v9" } as const;
    expect(changes("empty", ready)).toEqual({ installs: { deploy: "staged", build: "v9", begun: 1 } });
    expect(changes("installing", ready)).toEqual({ installs: { deploy: "staged", build: "v9", begun: 1 } });
    expect(changes("taken up", samples["install-begun"])).toEqual({
      installs: { deploy: "d2", build: "v2", begun: 1 },
    });
    expect(changes("installing", samples["install-begun"])).toEqual({
      installs: { deploy: "d2", build: "v2", begun: 2 },
    });
    const other = journalAfter(places.installing, { kind: "taken-up", number: 5, deploy: "d2", build: "v3", again: 0 });
    expect(changes(other, { ...samples["install-begun"], build: "v3" })).toEqual({
      installs: { deploy: "d2", build: "v3", begun: 1 },
    });
  });

  test("who has the same wish tried again has mended what its install steps failed on", () => {
    const wish = { kind: "taken-up", number: 5, deploy: "d2", build: "v2", again: 1 } as const;
    expect(changes("installing", wish)).toEqual({
      installs: null,
      attempt: { number: 5, deploy: "d2", build: "v2", again: 1 },
    });
    // Those of another build are counted by its own name.
    expect(changes("installing", { ...wish, build: "v3" })).not.toHaveProperty("installs");
    expect(changes("installing", { ...wish, deploy: "d3" })).not.toHaveProperty("installs");
    // As are those of a build that is only to be ready, whatever wish is served and tried again meanwhile.
    const ready = { deploy: "staged", build: "v9", begun: 2 };
    expect(changes({ ...places.installing, installs: ready }, wish)).not.toHaveProperty("installs");
    // What failed before is told until something else comes of it.
    expect(changes("failed", wish)).not.toHaveProperty("failed");
    expect(journalAfter(places.failed, wish).failed).toEqual(places.failed.failed);
  });

  test("a failure says how many times its deploy had been tried again by then", () => {
    const again = journalAfter(places.installing, { kind: "taken-up", number: 5, deploy: "d2", build: "v2", again: 2 });
    expect(changes(again, { kind: "condemned", failure, healthy: true })).toMatchObject({
      failed: { attempt: 5, again: 2 },
    });
    const forAttempt = { number: 4, deploy: "d2", build: "v2" };
    const back = { ...places.stuck, attempt: { ...forAttempt, again: 2 } };
    expect(changes(back, { kind: "given-up", healthy: false })).toMatchObject({ failed: { again: 2 } });
  });

  test("who fails before the activation is the wish that was taken up", () => {
    expect(changes("installing", { kind: "condemned", failure, healthy: false })).toEqual({
      failed: { deploy: "d2", build: "v2", failure, attempt: 4, again: 0, healthy: false },
    });
  });
});

describe("the activation", () => {
  test("begins as it was decided", () => {
    const attempt = { number: 4, deploy: "d2", build: "v2", begun: 1 };
    expect(changes("taken up", samples.begun)).toEqual({ activation: forward, attempt });
  });

  test.each<[string, Place, Partial<typeof forward>, string]>([
    ["of another number", "taken up", { attempt: 3 }, "was not taken up as number 3"],
    ["of another deploy", "taken up", { deploy: "d1" }, '"v2" of deploy d1 was not taken up'],
    ["of another build", "taken up", { build: "v3" }, '"v3" of deploy d2 was not taken up'],
    ["of a build that failed", "failed", {}, '"v2" has failed here'],
    [
      "whose restarts were begun",
      "taken up",
      { phase: { kind: "forward", restart: { begun: 1, batch: ["1"], left: ["1"] } } },
      "on its way already",
    ],
    ["that leads back", "taken up", { phase: { kind: "back", failure, restart: restartOf([]) } }, "on its way already"],
    ["that has restarted something", "taken up", { counts: { ...noCounts, instances: 1 } }, "on its way already"],
  ])("does not begin with one %s", (_, place, change, problem) => {
    expect(() => journalAfter(places[place], { kind: "begun", activation: { ...forward, ...change } })).toThrow(
      problem,
    );
  });

  test("is counted against its wish until the service has stayed in service for a while", () => {
    const once = journalAfter(places["taken up"], { kind: "begun", activation: forward });
    const ended = { ...once, activation: null };
    expect(journalAfter(ended, { kind: "begun", activation: forward }).attempt?.begun).toBe(2);
    expect(journalAfter(ended, { kind: "settled" }).attempt?.begun).toBe(0);
  });

  test("that is abandoned is over, and says what its restarts have cost", () => {
    expect(changes("forward", { kind: "abandoned" })).toEqual({ activation: null });
    expect(changes("batch begun", { kind: "abandoned" })).toMatchObject({
      activation: null,
      lastRestart: { build: "v2", deploy: "d2", instances: 2, closed: 1, phaseMs: { stop: 20 } },
    });
  });

  test("that passed its check remembers the processes, of the build that it brings to life", () => {
    const processes = [{ pid: 9, startTicks: 90, instance: "1" }];
    expect(changes("rolled", { kind: "checked", config: "c", build: "v2", processes })).toEqual({
      restarted: { build: "v2", config: "c", processes },
    });
    expect(changes("rolled back", { kind: "checked", config: "c", build: "v1", processes })).toEqual({
      restarted: { build: "v1", config: "c", processes },
    });
    expect(() => journalAfter(places.rolled, { kind: "checked", config: "c", build: "v1", processes })).toThrow(
      '"v1" is not the one that is brought to life',
    );
  });

  test("is proven once, however often that is written", () => {
    expect(changes("checked", { kind: "proven" })).toMatchObject({ activation: { phase: { kind: "proven" } } });
    expect(changes("proven", { kind: "proven" })).toEqual({});
    expect(() => journalAfter(places.rolled, { kind: "proven" })).toThrow("its check has not passed");
  });

  test("that has finished leaves the build proven, and nothing to do", () => {
    const old = { ...places.failed.failed, deploy: "d1", build: "v1" };
    const installs = { deploy: "d2", build: "v2", begun: 1 };
    expect(changes({ ...places.proven, failed: old, installs }, samples.finished)).toEqual({
      attempt: { number: 4, deploy: "d2", build: "v2", served: true },
      activation: null,
      failed: null,
      installs: null,
      lastRestart: {
        build: "v2",
        deploy: "d2",
        instances: 2,
        closed: 1,
        refused: null,
        forced: [],
        phaseMs: { stop: 20 },
      },
      proven: ["v2", "v1"],
      served: { deploy: "d2", build: "v2", atMs: 1_000 },
    });
    expect(changes({ ...places.proven, proven: ["v1", "v2"] }, samples.finished).proven).toEqual(["v2", "v1"]);
  });

  test("that starts again what was served already leaves the time of the deploy as it was", () => {
    const served = { deploy: "d2", build: "v2", atMs: 7 };
    const attempt = { number: 4, deploy: "d2", build: "v2" };
    const again: Journal = { ...places.proven, attempt: { ...attempt, served: true }, served };
    expect(journalAfter(again, samples.finished).served).toEqual(served);
    expect(journalAfter({ ...again, attempt }, samples.finished).served?.atMs).toBe(1_000);
  });

  test("that restarted nothing leaves no cost behind", () => {
    const lastRestart = { ...noCounts, instances: 1, build: "v1", deploy: "d1" };
    const before = { ...places.forward, lastRestart };
    expect(changes(before, { kind: "abandoned" }).lastRestart).toBeNull();
  });

  test("that fails goes back over what it touched, and not over the rest", () => {
    const instances = [
      { name: "1", served: { kind: "down" } },
      { name: "2", served: { kind: "build", build: "v1" } },
    ] as const;
    expect(changes("batch begun", { kind: "turned-back", failure, instances }).activation?.phase).toEqual({
      kind: "back",
      failure,
      restart: restartOf(["1"]),
    });
  });

  test("that fails on its way back is stuck, and keeps both failures", () => {
    expect(changes("back", { kind: "turned-back", failure: second, instances: [] }).activation?.phase).toEqual({
      kind: "stuck",
      failure,
      second,
    });
  });

  test.each<[string, Journal, boolean, string]>([
    ["went back", places["rolled back"], true, 'The host went back to "v1" and is healthy. look'],
    [
      "restarted in vain",
      places.back,
      false,
      'Going back to "v1" failed too: its restarts were begun and never succeeded. look',
    ],
    ["is stuck", places.stuck, false, 'Going back to "v1" failed too: it answers 502 look'],
    [
      "has nothing to go back to",
      { ...places.back, activation: { ...places.back.activation, previous: null } } as Journal,
      false,
      "The host has no older build to go back to. look",
    ],
  ])("that is given up says how the host is that %s", (_, before, healthy, hint) => {
    const told: StepFailure = { ...failure, hint };
    expect(changes(before, { kind: "given-up", healthy })).toEqual({
      activation: null,
      failed: { deploy: "d2", build: "v2", failure: told, attempt: 4, again: 0, healthy },
      lastRestart: {
        build: "v2",
        deploy: "d2",
        instances: 2,
        closed: 1,
        refused: null,
        forced: [],
        phaseMs: { stop: 20 },
      },
    });
  });

  test("that is stuck is not healthy", () => {
    expect(() => journalAfter(places.stuck, { kind: "given-up", healthy: true })).toThrow("is not healthy");
  });
});

describe("after a boot", () => {
  test("starts of what it left down are counted anew in each boot, and none is begun once it is over", () => {
    const begun = journalAfter(places.booted, samples["revival-begun"]);
    expect(begun.boot).toEqual({ id: "boot 2", begun: 1, over: false });
    expect(journalAfter(begun, samples["revival-begun"]).boot).toEqual({ id: "boot 2", begun: 2, over: false });
    const over = journalAfter(begun, { kind: "boot-over", bootId: "boot 2" });
    expect(over.boot).toEqual({ id: "boot 2", begun: 1, over: true });
    expect(() => journalAfter(over, samples["revival-begun"])).toThrow("this boot is over");
    expect(journalAfter(over, { kind: "revival-begun", bootId: "boot 3" }).boot).toMatchObject({
      begun: 1,
      over: false,
    });
  });

  test("the processes that were started are those of the build from then on", () => {
    expect(changes("reviving", samples.revived)).toEqual({
      restarted: { build: "v1", config: "c", processes: [{ pid: 9, startTicks: 90 }] },
    });
  });
});
