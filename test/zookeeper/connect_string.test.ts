import { describe, expect, test } from "bun:test";
import { parseConnectString, serverName } from "../../src/zookeeper/connect_string.ts";
import { Chroot, parentPath, pathProblem } from "../../src/zookeeper/wire/node_paths.ts";

describe("a connect string", () => {
  test("has hosts, IPv6 addresses in brackets, default ports and a chroot", () => {
    expect(parseConnectString("a:1, [::1]:2,[fe80::2],::3,b/x/y")).toEqual({
      servers: [
        { host: "a", port: 1 },
        { host: "::1", port: 2 },
        { host: "fe80::2", port: 2181 },
        { host: "::3", port: 2181 },
        { host: "b", port: 2181 },
      ],
      chroot: "/x/y",
    });
    expect(parseConnectString("a/").chroot).toBe("");
  });

  test.each(["", "/x", "a:b", "a:0", "a:70000", "a b:1", "[::1", "a/x/", "a//x", "http://a"])(
    "%p is refused with the part that is wrong",
    (text) => {
      expect(() => parseConnectString(text)).toThrow(TypeError);
    },
  );

  test("an IPv6 server is shown in brackets", () => {
    expect(serverName({ host: "::1", port: 5 })).toBe("[::1]:5");
  });
});

describe("paths", () => {
  test.each(["/", "/a", "/a/b", "/a.b", "/..a", "/ä/日本", "/a b"])("%p is a path", (path) => {
    expect(pathProblem(path)).toBeUndefined();
  });

  test.each(["", "a", "/a/", "//", "/a//b", "/.", "/a/..", "/a/./b", "/a\u0000", "/a\u001f", "/\ud800", "/\ufff0"])(
    "%j is none",
    (path) => {
      expect(pathProblem(path)).toBeString();
    },
  );

  test("a sequential node's path may end in a slash", () => {
    expect(pathProblem("/a/", true)).toBeUndefined();
  });

  test("a parent is one name shorter, and the root its own", () => {
    expect(["/a/b/c", "/a", "/"].map(parentPath)).toEqual(["/a/b", "/", "/"]);
  });

  test("a chroot is put before what goes out and taken off what comes in", () => {
    const chroot = new Chroot("/app");
    expect(["/", "/a"].map((path) => chroot.toServer(path))).toEqual(["/app", "/app/a"]);
    expect(["/app", "/app/a", "/apple"].map((path) => chroot.toClient(path))).toEqual(["/", "/a", "/apple"]);
    expect(new Chroot("/").toServer("/a")).toBe("/a");
  });
});
