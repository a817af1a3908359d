import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { afterCircle, heededBy, heldBack, type ServiceNow, type ServicesNow } from "../../src/core/between_services.ts";
import type { BetweenServices } from "../../src/schema/between_services.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";

/** A service whose deploy began so many minutes after noon; without a state none runs. */
function now(rules: BetweenServices, state?: DeployState, minutes = 0): ServiceNow {
  const began = new Date(Date.parse("2026-11-28T12:00:00.000Z") + minutes * 60_000).toISOString();
  return { rules, deploy: state === undefined ? null : { state, began } };
}

function held(service: string, services: Record<string, ServiceNow | "unreadable">): string | null {
  return heldBack(service, new Map(Object.entries(services)), () => []).service;
}

describe("a service that is not to move while another does", () => {
  const rules = { notWhile: ["db"] };

  test.each([
    ["preparing", null],
    ["canary", 'waits for "db", which is on canary hosts'],
    ["awaiting promotion", 'waits for "db", which is awaiting promotion'],
    ["rolling", 'waits for "db", which is rolling'],
    ["rolling back", 'waits for "db", which is rolling back'],
  ] as const)("while that is %s: %p", (state, why) => {
    expect(held("web", { web: now(rules, "rolling"), db: now({}, state) })).toBe(why);
  });

  test("moves while no deploy of it runs, and where there is no such service", () => {
    expect(held("web", { web: now(rules, "rolling"), db: now({}) })).toBeNull();
    expect(held("web", { web: now(rules, "rolling") })).toBeNull();
  });

  test("waits too with a host that comes back when its own deploy is done, or its deploy goes back", () => {
    for (const web of [now(rules), now(rules, "rolling back")])
      expect(held("web", { web, db: now({}, "rolling") })).toBe('waits for "db", which is rolling');
  });

  test("does not hold up the other by its rules", () => {
    expect(held("db", { web: now(rules, "rolling"), db: now({}, "rolling") })).toBeNull();
  });

  test("does not wait for itself", () => {
    expect(held("web", { web: now({ notWhile: ["web"], after: ["web"] }, "rolling") })).toBeNull();
  });
});

describe("a service that comes after another", () => {
  const rules = { after: ["db"] };

  test.each(["preparing", "canary", "rolling", "rolling back"] as const)("waits while that is %s", (state) => {
    expect(held("web", { web: now(rules, "preparing"), db: now({}, state, 5) })).toContain('waits for "db", which is');
  });

  test("waits for nobody where none is running, and when it goes back", () => {
    expect(held("web", { web: now(rules, "preparing"), db: now({}) })).toBeNull();
    expect(held("web", { web: now(rules, "rolling back"), db: now({}, "rolling") })).toBeNull();
  });
});

test("all for which a service waits are named, and what cannot be read is taken for the worst", () => {
  const rules = { after: ["db"], notWhile: ["cache", "db", "queue"] };
  expect(held("web", { web: now(rules), db: now({}, "preparing"), cache: "unreadable", queue: now({}) })).toBe(
    'waits for "db", which is preparing, and "cache", which cannot be read',
  );
  expect(held("db", { db: "unreadable" })).toBeNull();
});

describe("of services that wait for each other", () => {
  test("the one whose deploy began first goes on, whatever their names", () => {
    for (const [web, db] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const services = {
        web: now({ notWhile: ["db"] }, "rolling", web),
        db: now({ notWhile: ["web"] }, "rolling", db),
      };
      expect([held("web", services) === null, held("db", services) === null]).toEqual([web < db, db < web]);
    }
  });

  test("one goes on also where both began in the same moment", () => {
    const services = { web: now({ after: ["db"] }, "rolling"), db: now({ after: ["web"] }, "rolling") };
    expect([held("web", services), held("db", services)]).toEqual(['waits for "db", which is rolling', null]);
  });

  test("who is not past preparing has not begun to be waited for", () => {
    const services = {
      web: now({ notWhile: ["db"] }, "preparing", 0),
      db: now({ notWhile: ["web"] }, "rolling", 1),
    };
    expect([held("web", services), held("db", services)]).toEqual(['waits for "db", which is rolling', null]);
  });

  test("the first waits on for those outside of the circle", () => {
    const services = {
      web: now({ notWhile: ["db", "cache"] }, "rolling", 0),
      db: now({ notWhile: ["web"] }, "rolling", 1),
      cache: now({}, "rolling", 2),
    };
    expect(held("web", services)).toBe('waits for "cache", which is rolling');
    expect(held("db", services)).toBe('waits for "web", which is rolling');
  });

  test("who also names itself does not wait for itself", () => {
    const services = { web: now({ after: ["web", "db"] }, "rolling", 1), db: now({ after: ["web"] }, "rolling", 0) };
    expect([held("web", services), held("db", services)]).toEqual(['waits for "db", which is rolling', null]);
  });

  test("a circle of three is one, too, and who only leads into it waits", () => {
    const services = {
      a: now({ after: ["b"] }, "preparing", 3),
      b: now({ notWhile: ["c"] }, "rolling", 2),
      c: now({ after: ["a"] }, "rolling", 1),
      d: now({ after: ["a"] }, "preparing", 0),
    };
    expect(["a", "b", "c", "d"].map((name) => held(name, services) === null)).toEqual([false, false, true, false]);
  });
});

describe("a host that is out of service", () => {
  const onHost = (service: string, services: Record<string, BetweenServices | "unreadable">, out: string[]) => {
    const all: ServicesNow = new Map(
      Object.entries(services).map(([name, rules]) => [name, rules === "unreadable" ? rules : now(rules)]),
    );
    const { service: whole, host } = heldBack(service, all, (host) => (host === "h1" ? out : []));
    expect([whole, host("h2")]).toEqual([null, null]);
    return host("h1");
  };
  const why = 'waits for "db", for which the host is out of service';

  test("for another service waits, whichever of both is exclusive", () => {
    expect(onHost("web", { web: { exclusive: true }, db: {} }, ["db"])).toBe(why);
    expect(onHost("web", { web: {}, db: { exclusive: true } }, ["db"])).toBe(why);
    expect(onHost("web", { web: {}, db: {}, x: { exclusive: true } }, ["db"])).toBeNull();
    expect(onHost("web", { web: {}, db: { exclusive: true }, x: {} }, ["x", "db"])).toBe(why);
    expect(onHost("web", { web: {}, db: "unreadable" }, ["db"])).toBe(why);
  });

  test("for this service already does not wait, or it would for ever if it is out for both", () => {
    expect(onHost("web", { web: { exclusive: true }, db: { exclusive: true } }, ["db", "web"])).toBeNull();
    expect(onHost("db", { web: { exclusive: true }, db: { exclusive: true } }, ["db", "web"])).toBeNull();
  });
});

describe("services that come after each other", () => {
  const circle = (service: string, after: Record<string, string[]>) =>
    afterCircle(service, new Map(Object.entries(after).map(([name, names]) => [name, { after: names }])));

  test("in a circle are found, by the shortest way", () => {
    expect(circle("web", { web: ["db"], db: ["web"] })).toEqual(["web", "db", "web"]);
    expect(circle("web", { web: ["web"] })).toEqual(["web", "web"]);
    expect(circle("a", { a: ["b", "c"], b: ["d"], d: ["a"], c: ["a"] })).toEqual(["a", "c", "a"]);
  });

  test("are none where no way leads back to the service, and where they are only not to move at once", () => {
    expect(circle("web", { web: ["db"], db: ["cache"], cache: ["db"] })).toBeNull();
    expect(circle("web", {})).toBeNull();
    const rules = { notWhile: ["web", "db"] };
    expect(afterCircle("web", new Map(Object.entries({ web: rules, db: rules })))).toBeNull();
  });
});

test("an answer rests on the services that its rules lead to, and on those with which it shares no host", () => {
  const rules = new Map<string, BetweenServices>([
    ["web", { notWhile: ["db"] }],
    ["db", { after: ["cache", "gone"] }],
    ["cache", { notWhile: ["web"] }],
    ["mail", {}],
  ]);
  expect(heededBy("web", rules).toSorted()).toEqual(["cache", "db"]);
  expect(heededBy("mail", rules)).toEqual([]);
  rules.set("batch", { exclusive: true });
  expect(heededBy("mail", rules)).toEqual(["batch"]);
  expect(heededBy("batch", rules).toSorted()).toEqual(["cache", "db", "mail", "web"]);
});

const names = ["a", "b", "c", "d", "e"];
const some = fc.subarray(names);
const state = fc.constantFrom<DeployState[]>("preparing", "canary", "awaiting promotion", "rolling", "rolling back");
const anyService = fc
  .record({ notWhile: some, after: some, state: fc.option(state, { nil: undefined }), began: fc.nat(3) })
  .map(({ notWhile, after, state, began }) => now({ notWhile, after }, state, began));
const anyServices = fc
  .tuple(anyService, anyService, anyService, anyService, anyService)
  .map((all) => new Map(names.map((name, at) => [name, all[at] ?? now({})])));

function freeOf(services: ReadonlyMap<string, ServiceNow>): string[] {
  return names.filter((name) => heldBack(name, services, () => []).service === null);
}

function isRolling(service: ServiceNow | undefined): boolean {
  return service?.deploy?.state === "rolling";
}

describe("whatever the rules are", () => {
  test("of the deploys that run one may go on, until all are done", () => {
    fc.assert(
      fc.property(anyServices, (services) => {
        const left = new Map(services);
        for (;;) {
          const running = names.filter((name) => left.get(name)?.deploy !== null);
          if (running.length === 0) return;
          const free = freeOf(left).find((name) => running.includes(name));
          expect(free).toBeDefined();
          left.set(free ?? "", now(left.get(free ?? "")?.rules ?? {}));
        }
      }),
    );
  });

  test("of two that are not to move at once, and both do, one is held back", () => {
    fc.assert(
      fc.property(anyServices, (services) => {
        const free = freeOf(services);
        for (const name of free) {
          for (const other of services.get(name)?.rules.notWhile ?? []) {
            const back = services.get(other)?.rules.notWhile?.includes(name) === true;
            const moving = [name, other].every(
              (each) => !["preparing", undefined].includes(services.get(each)?.deploy?.state),
            );
            if (back && moving && name !== other) expect(free).not.toContain(other);
          }
        }
      }),
    );
  });

  test("two that are not to move at once never begin to, if they are granted slots one after the other", () => {
    const moves = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 30 });
    const pairs = fc.uniqueArray(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 6 });
    fc.assert(
      fc.property(pairs, moves, (pairs, moves) => {
        const foes = (name: string): string[] =>
          pairs.flatMap(([a, b]) => {
            const [one = "", other = ""] = [names[a], names[b]];
            return name === one ? [other] : name === other ? [one] : [];
          });
        const services = new Map(names.map((name) => [name, now({ notWhile: foes(name) })]));
        for (const [minutes, name] of moves.entries()) {
          // A deploy begins, then rolls if it may, then is done.
          const service = services.get(name) ?? now({});
          if (service.deploy === null) services.set(name, now(service.rules, "preparing", minutes));
          else if (isRolling(service)) services.set(name, now(service.rules));
          else if (freeOf(services).includes(name)) {
            services.set(name, { ...service, deploy: { ...service.deploy, state: "rolling" } });
          }
          for (const each of names.filter((each) => isRolling(services.get(each)))) {
            expect(foes(each).filter((foe) => foe !== each && isRolling(services.get(foe)))).toEqual([]);
          }
        }
      }),
    );
  });
});
