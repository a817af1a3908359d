import { expect, test } from "bun:test";
import { agentConfig } from "../../src/agent/config.ts";
import type { ServiceConfig } from "../../src/schema/agent_config.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { Manifests } from "../../src/steps/manifests.ts";
import { rejection } from "../support/rejection.ts";

/** A service whose builds are these texts, by path; they may change at any time. */
function service(section = "") {
  const texts = new Map<string, string>();
  const config = agentConfig(`[zookeeper]\nservers = "zk:1"\n[services.web]\n${section}`, "agent.toml", {}, "box");
  const own: ServiceConfig | undefined = config.services["web"];
  if (own === undefined) throw new Error("the service is gone from the file");
  const asked: string[] = [];
  const readUnlinked = async (path: string): Promise<string | null> => {
    asked.push(path);
    return texts.get(path) ?? null;
  };
  const manifests = new Manifests("web", layoutOf("/srv/web"), own, { readUnlinked });
  const put = (build: string, text: string): void => {
    texts.set(`/srv/web/releases/${build}/deployd.toml`, text);
  };
  return { manifests, put, texts, asked };
}

const restartBy = (stop: string): string => `[restart]\nby = "command"\nstop = "${stop}"\nstart = "./start"\n`;

test("a manifest is read each time and parsed when its text is another", async () => {
  const { manifests, put, asked } = service();
  put("v1", restartBy("./one"));
  const first = await manifests.read("v1");
  expect(first.restart).toMatchObject({ stop: "./one" });
  expect(await manifests.read("v1")).toBe(first);
  put("v1", restartBy("./two"));
  expect((await manifests.read("v1")).restart).toMatchObject({ stop: "./two" });
  expect(asked).toEqual(Array.from({ length: 3 }, () => "/srv/web/releases/v1/deployd.toml"));
});

test("two builds with the same text are each told by their own name when it is wrong", async () => {
  const { manifests, put } = service();
  put("v1", "[restart]\nby = 1\n");
  put("v2", "[restart]\nby = 1\n");
  expect((await rejection(manifests.read("v1"))).message).toContain('of build "v1"');
  expect((await rejection(manifests.read("v2"))).message).toContain('of build "v2"');
});

test("a manifest that is gone or spoilt is not remembered as it was", async () => {
  const { manifests, put, texts } = service();
  put("v1", restartBy("./one"));
  await manifests.read("v1");
  put("v1", "not toml");
  expect(await rejection(manifests.read("v1"))).toMatchObject({ code: "manifest-invalid" });
  texts.clear();
  expect((await rejection(manifests.read("v1"))).message).toBe(
    'Cannot tell how to run "v1": it brings no deployd.toml.',
  );
});

test("a build without a manifest is run as the agent's file says", async () => {
  const { manifests, put } = service('check = { tcp = "127.0.0.1:80" }\n');
  const own = await manifests.read("v1");
  expect(own.check).toMatchObject({ tcp: "127.0.0.1:80" });
  expect(await manifests.read("v2")).toBe(own);
  put("v1", restartBy("./one"));
  expect((await manifests.read("v1")).check).toBeUndefined();
});

test("only the builds that were asked for last are remembered", async () => {
  const { manifests, put } = service();
  const builds = ["v1", "v2", "v3", "v4", "v5"];
  for (const build of builds) put(build, restartBy(`./${build}`));
  const [first, second] = [await manifests.read("v1"), await manifests.read("v2")];
  for (const build of ["v3", "v4", "v1", "v5"]) await manifests.read(build);
  expect(await manifests.read("v1")).toBe(first);
  expect(await manifests.read("v2")).not.toBe(second);
});
