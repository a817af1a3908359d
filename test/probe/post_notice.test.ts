import { expect, test } from "bun:test";
import { postNotice } from "../../src/probe/post_notice.ts";
import { freePort } from "../harness/ports.ts";

const names = {
  lookup: (name: string) =>
    name === "127.0.0.1"
      ? Promise.resolve([name])
      : Promise.reject(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: "ENOTFOUND" })),
};
const trust = { authorities: () => Promise.resolve(null) };
const never = new AbortController().signal;
const post = (url: string, signal = never) =>
  postNotice(
    { url: new URL(url), headers: { "content-type": "application/json", "x-a": "b" }, body: '{"text":"ä"}' },
    signal,
    { names, trust },
  );

test("a body goes as it is, and of an answer without end the status alone is read", async () => {
  const heard: string[] = [];
  const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(65_536)) });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      heard.push(`${request.method} ${request.headers.get("x-a")} ${await request.text()}`);
      return new Response(endless, { status: 202 });
    },
  });
  try {
    expect(await post(`http://127.0.0.1:${server.port}/x`)).toEqual({ kind: "answered", status: 202 });
    expect(heard).toEqual(['POST b {"text":"ä"}']);
  } finally {
    await server.stop(true);
  }
});

test("why nobody answered is told without a word of the URL", async () => {
  const refused = await post(`http://127.0.0.1:${await freePort()}/secret`);
  expect(refused).toEqual({ kind: "unanswered", why: "nobody listens there" });
  const unknown = await post("https://hooks.example/secret");
  expect(unknown).toEqual({ kind: "unanswered", why: "the connection failed (ENOTFOUND)" });
});
