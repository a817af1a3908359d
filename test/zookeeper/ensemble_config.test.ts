import { expect, test } from "bun:test";
import { parseEnsembleConfig } from "../../src/zookeeper/wire/ensemble_config.ts";

const parsed = (line: string): unknown => parseEnsembleConfig(line).members[0];
const quorum = { id: 1, quorumPort: 2888, electionPort: 3888, role: "participant" };

test.each([
  ["10.1.2.3:2888:3888:participant;10.2.3.4:2181", "10.1.2.3", { host: "10.2.3.4", port: 2181 }],
  ["zk1:2888:3888:participant;zk1:2181", "zk1", { host: "zk1", port: 2181 }],
  ["10.1.2.3:2888:3888:participant;2181", "10.1.2.3", { host: undefined, port: 2181 }],
  ["10.1.2.3:2888:3888:participant;0.0.0.0:2181", "10.1.2.3", { host: "0.0.0.0", port: 2181 }],
  [
    "[1080:0:0:0:8:800:200C:417A]:2888:3888:participant;[::1]:2181",
    "1080:0:0:0:8:800:200C:417A",
    { host: "::1", port: 2181 },
  ],
  ["[::1]:2888:3888:participant;[::]:2181", "::1", { host: "::", port: 2181 }],
  ["zk1:2888:3888:participant", "zk1", undefined],
  ["zk1:2888:3888", "zk1", undefined],
  ["zk1:2888:3888|zk1b:2889:3889:participant;zk1:2181", "zk1", { host: "zk1", port: 2181 }],
])("server.1=%s", (line, host, client) => {
  expect(parsed(`server.1=${line}`)).toEqual({ ...quorum, host, client });
});

test("an observer is one, and the version is the configuration's own, in hexadecimal", () => {
  const text = "server.7=zk7:1:2:observer;3\nversion=1000000ab\n";
  const { members, version } = parseEnsembleConfig(text);
  expect(members).toMatchObject([{ id: 7, role: "observer" }]);
  expect(version).toBe(0x1_0000_00abn);
});

test("a server alone has no members, and lines of no known form are left out", () => {
  expect(parseEnsembleConfig("")).toEqual({ members: [], version: 0n });
  expect(parseEnsembleConfig("server.x=1\nserver.1=a\nnonsense\nversion=zz").members).toEqual([]);
});
