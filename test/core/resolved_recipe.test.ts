import { expect, test } from "bun:test";
import { assertRestartAllowed, defaultUnits } from "../../src/core/policy.ts";
import { resolveRecipe, type RestartSpec } from "../../src/core/resolved_recipe.ts";
import { recipeSchema } from "../../src/schema/recipe.ts";

const variables = { PORT: "8080", DEPLOYD_ROOT: "/srv/web" };
const resolvedRecipe = (recipe: object) => resolveRecipe(recipeSchema.parse(recipe), variables);

test("a recipe that says nothing asks for nothing", () => {
  expect(resolvedRecipe({})).toEqual({
    install: { steps: [], attempts: 3, shared: [] },
    restart: null,
    drain: null,
    check: null,
  });
});

test("seconds become milliseconds, and a step may have a limit of its own", () => {
  const install = { steps: ["make", { run: "slow", timeout_s: 2 }], timeout_s: 1.5, attempts: 2, shared: ["data"] };
  expect(resolvedRecipe({ install }).install).toEqual({
    steps: [
      { run: "make", timeoutMs: 1_500 },
      { run: "slow", timeoutMs: 2_000 },
    ],
    attempts: 2,
    shared: ["data"],
  });
});

test("variables are filled in where no shell would do it, and left to the shell where one does", () => {
  expect(
    resolvedRecipe({ check: { http: "http://127.0.0.1:${PORT}/up", expect_body: "on ${PORT}" } }).check,
  ).toMatchObject({
    probe: {
      kind: "http",
      url: "http://127.0.0.1:8080/up",
      expectStatus: [200],
      expectBody: "on 8080",
      timeoutMs: 2_000,
    },
    intervalMs: 500,
    deadlineMs: 60_000,
    successes: 3,
  });
  expect(resolvedRecipe({ check: { tcp: "127.0.0.1:${PORT}" } }).check?.probe).toMatchObject({
    host: "127.0.0.1",
    port: 8080,
  });
  expect(resolvedRecipe({ check: { tcp: "[::1]:80" } }).check?.probe).toMatchObject({ host: "::1", port: 80 });
  expect(resolvedRecipe({ check: { command: "test ${PORT}" } }).check?.probe).toMatchObject({ run: "test ${PORT}" });
  expect(resolvedRecipe({ restart: { by: "signal", pid_file: "${DEPLOYD_ROOT}/pid" } }).restart).toEqual({
    by: "signal",
    signal: "HUP",
    pidFile: "/srv/web/pid",
    timeoutMs: 60_000,
  });
  expect(resolvedRecipe({ restart: { by: "command", start: "run ${PORT}" } }).restart).toEqual({
    by: "command",
    start: "run ${PORT}",
    timeoutMs: 60_000,
  });
});

test("a variable that is not set is named, with the place and what there is", () => {
  expect(() => resolvedRecipe({ check: { tcp: "127.0.0.1:${PROT}" } })).toThrow("the variable PROT is not set");
  expect(() => resolvedRecipe({ check: { http: "http://${HOST}/" } })).toThrow("check.http");
});

test("a value is put in once and not read again", () => {
  const filled = (value: string, text = "${A}") =>
    resolveRecipe(recipeSchema.parse({ restart: { by: "signal", pid_file: text } }), { A: value, B: "no" }).restart;
  expect(filled("${B}")).toMatchObject({ pidFile: "${B}" });
  expect(filled("$&$1")).toMatchObject({ pidFile: "$&$1" });
  expect(() => filled("", "${toString}")).toThrow("the variable toString is not set");
});

test.each([
  { http: "ftp://127.0.0.1/" },
  { http: "not a url" },
  { http: "127.0.0.1:8080/up" },
  { http: "http://127.0.0.1:${PORT/up" },
  { http: "http://127.0.0.1:${PORT}x/up" },
  { tcp: "127.0.0.1" },
  { tcp: "127.0.0.1:0" },
  { tcp: "127.0.0.1:70000" },
  { tcp: "a:b:1" },
  { tcp: "tcp://127.0.0.1:80" },
  { tcp: "127.0.0.1:http" },
])("a check of %o is refused with the file that has it", (check) => {
  expect(() => resolvedRecipe({ check })).toThrow(/an http or https URL is required|host:port is required/);
});

test.each([{ url: "/drain" }, { resume_url: "localhost:8080/resume" }])("a drain of %o is, too", (drain) => {
  expect(() => resolvedRecipe({ drain })).toThrow("an http or https URL is required");
});

test.each([{ http: "${URL}" }, { http: "http://127.0.0.1:${URL}/" }, { tcp: "127.0.0.1:${URL}" }])(
  "a check of %o is refused where the host's value makes none of it",
  (check) => {
    const filled = () => resolveRecipe(recipeSchema.parse({ check }), { URL: "localhost:8080" });
    expect(filled).toThrow(/Cannot (check|ask) "/);
  },
);

const policy = { service: "web", units: defaultUnits("web"), pidFiles: ["/run/web.pid"], root: "/srv/web" };
const unit = (name: string): RestartSpec => ({ by: "systemd", unit: name, action: "restart", timeoutMs: 1 });
const pid = (pidFile: string): RestartSpec => ({ by: "signal", signal: "HUP", pidFile, timeoutMs: 1 });

test.each([
  unit("web.service"),
  unit("web@1.service"),
  pid("/run/web.pid"),
  pid("/srv/web/run/x.pid"),
  { by: "command", start: "x", timeoutMs: 1 } as const,
])("a build may restart its own: %o", (spec) => {
  expect(() => assertRestartAllowed(spec, policy)).not.toThrow();
});

test.each([
  unit("ssh.service"),
  unit("web.service.d"),
  unit("xweb.service"),
  unit("webXservice"),
  unit("web@1/../../ssh.service"),
  pid("/run/other.pid"),
  pid("/srv/web/../ssh.pid"),
  pid("/srv/web2/x.pid"),
  pid("/srv/web"),
  pid("run/web.pid"),
])("a build may not restart somebody else's: %o", (spec) => {
  expect(() => assertRestartAllowed(spec, policy)).toThrow(/this host lets|outside/);
});

test("a host may allow more, with a star for anything", () => {
  const open = { ...policy, units: ["nginx*.service"] };
  expect(() => assertRestartAllowed(unit("nginx-blue.service"), open)).not.toThrow();
  expect(() => assertRestartAllowed(unit("web.service"), open)).toThrow("nginx*.service");
});
