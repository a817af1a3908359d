import { expect, test } from "bun:test";
import type { DeployError } from "../../src/core/errors.ts";
import { agentConfig, requireForRoot } from "../../src/agent/config.ts";

const minimal = `
[zookeeper]
servers = "zk1:2181"

[services.web]
`;

function load(text: string, env: Record<string, string> = {}) {
  return agentConfig(text, "/etc/deployd/agent.toml", env, "machine-1");
}

test("a minimal file is enough, and everything else has a default", () => {
  expect(load(minimal)).toMatchObject({
    host: "machine-1",
    root: "/srv/deployd",
    zookeeper: { servers: "zk1:2181", chroot: "/deployd", session_timeout_s: 10 },
    status: { listen: "127.0.0.1:9876" },
    limits: { releases: 5 },
    log_level: "info",
    services: { web: { env: {}, pid_files: [] } },
  });
});

test("the environment overrides the file, an empty variable does not", () => {
  const env = {
    DEPLOYD_HOST: "web-7",
    DEPLOYD_ZONE: "b",
    DEPLOYD_ROOT: "/data",
    DEPLOYD_ZOOKEEPER: "zk9:2181",
    DEPLOYD_CHROOT: "/other",
    DEPLOYD_ZOOKEEPER_DIGEST: "me:secret",
    DEPLOYD_STATUS_LISTEN: "[::1]:0",
    DEPLOYD_LOG_LEVEL: "debug",
  };
  expect(load(minimal, env)).toMatchObject({
    host: "web-7",
    zone: "b",
    root: "/data",
    zookeeper: { servers: "zk9:2181", chroot: "/other", digest: "me:secret" },
    status: { listen: "[::1]:0" },
    log_level: "debug",
  });
  expect(load(minimal, { DEPLOYD_HOST: "" }).host).toBe("machine-1");
});

test("the environment can give what the file lacks altogether", () => {
  expect(load("[services.web]", { DEPLOYD_ZOOKEEPER: "zk:2181" }).zookeeper.servers).toBe("zk:2181");
});

test.each([
  ["[zookeper]\nservers = 'a'", 'unknown key "zookeper"; did you mean "zookeeper"?'],
  ["[services.web]\nrunas = 'x'", 'unknown key "services.web.runas"; did you mean "run_as"?'],
  ["[services.web.restart]\nby = 'systemd'\nunits = 'web.service'", '"services.web.restart.unit"'],
  ["[services.'we b']", "services"],
  ["[services.web.env]\n'A-B' = '1'", "services.web.env"],
  ["log_level = 'loud'", '"log_level"'],
  ["root = 'relative'", "an absolute path is required"],
])("a mistake is named with its key: %s", (text, problem) => {
  const file = text.includes("[services") ? text : `${text}\n[services.web]`;
  expect(() => load(file, { DEPLOYD_ZOOKEEPER: "zk:2181" })).toThrow(problem);
});

const two = "instances = [{ name = '1', port = 8081 }, { name = '2', port = 8082 }]";

test.each([
  ["traffic = { by = 'nft', port = 80 }", "traffic by nft needs the port of each instance"],
  ["instances = [{ name = 'a' }]\ntraffic = { by = 'reject' }", "traffic by reject needs the port of each instance"],
  ["instances = [{ name = 'a' }, { name = 'a' }]", 'two instances are named "a"'],
  ["instances = [{ name = 'a', port = 1 }, { name = 'b', port = 1 }]", "two instances have port 1"],
  [`${two}\ntraffic = { by = 'iptables', port = 8082 }`, "8082 is the port of an instance, not the one in front"],
  [`${two}\nrolling = { min_available = 2 }`, "2 of 2 instances in service leaves no batch of 1 to restart"],
  [`${two}\nrolling = { batch = '0%' }`, "a number or a percentage is required"],
  ["traffic = { by = 'haproxi' }", "services.web.traffic.by"],
])("copies and traffic that do not go together are named: %s", (section, problem) => {
  expect(() => load(`[services.web]\n${section}`, { DEPLOYD_ZOOKEEPER: "zk" })).toThrow(problem);
});

test("every mistake is listed, not only the first", () => {
  const text = "root = 'x'\nlog_level = 'loud'\n[services.web]";
  expect(() => load(text, { DEPLOYD_ZOOKEEPER: "zk" })).toThrow(/root.*log_level|log_level.*root/);
});

test("a file that is no TOML, and one without a service, say so", () => {
  expect(() => load("[zookeeper")).toThrow("Cannot read /etc/deployd/agent.toml");
  expect(() => load("[services]", { DEPLOYD_ZOOKEEPER: "zk" })).toThrow("at least one service is required");
});

test("a secret never stands in the message of a mistake", () => {
  try {
    load(minimal, { DEPLOYD_ZOOKEEPER_DIGEST: "topsecret" });
    throw new Error("it was taken");
  } catch (error) {
    expect(String(error)).toContain("user:password is required");
    expect(String(error)).not.toContain("topsecret");
  }
});

test.each([
  ["", "services.web.run_as, services.web.sources are not set"],
  ["run_as = 'web'", "services.web.sources is not set"],
  ["sources = ['file:///mnt/builds']", "services.web.run_as is not set"],
])("an agent that is root must be told who runs the commands and where builds come from: %s", (section, problem) => {
  const config = load(`${minimal}${section}`);
  expect(() => requireForRoot(config, true, "agent.toml")).toThrow(problem);
  requireForRoot(config, false, "agent.toml");
  requireForRoot(load(`${minimal}run_as = "web"\nsources = ["https://builds.example.com/"]`), true, "agent.toml");
});

test("each service that is root's needs them, and the hint shows the line to write", () => {
  const text = `${minimal}run_as = "web"\nsources = ["file:///b/"]\n[services.api]\nrun_as = "api"\n`;
  try {
    requireForRoot(load(text), true, "agent.toml");
    throw new Error("it was taken");
  } catch (error) {
    expect(String(error)).toContain("services.api.sources is not set");
    expect((error as DeployError).hint).toContain('sources = ["https://builds.example.com/web/"]');
  }
});

test.each([
  ["sources = ['builds.example.com/web/']", "a URL is required"],
  ["sources = ['ftp://builds.example.com/']", "a URL is required"],
  ["sources = ['https://me:hunter2@builds.example.com/']", "a source must not contain a password"],
  ["sources = ['https://builds.example.com/?token=hunter2']", "it must not have a ? or a #"],
  ["check_hosts = ['10.0.0.0/33']", "a name, an address or a network is required"],
  ["check_hosts = ['http://10.0.0.1/']", "a name, an address or a network is required"],
  ["check_hosts = ['10.0.0.1:80']", "a name, an address or a network is required"],
])("what a build may come from and ask is checked at the start: %s", (section, problem) => {
  let said = "";
  try {
    load(`${minimal}${section}`);
  } catch (error) {
    said = String(error);
  }
  expect(said).toContain(problem);
  expect(said).not.toContain("hunter2");
});

test("names, addresses and networks may be asked", () => {
  const hosts = ["vip.example.com", "10.0.0.7", "10.0.0.0/8", "fd00::/8", "::1"];
  expect(load(`${minimal}check_hosts = ${JSON.stringify(hosts)}`).services["web"]?.check_hosts).toEqual(hosts);
});
