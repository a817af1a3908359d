import { expect, test } from "bun:test";
import type { ServerAddress, Dial, LinkEvents } from "../../../src/zookeeper/dial.ts";
import { JuteWriter } from "../../../src/zookeeper/wire/jute.ts";
import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";
import { connectFrame, pingFrame } from "../../../src/zookeeper/wire/packets.ts";
import { noPassword } from "../../../src/zookeeper/wire/handshake_records.ts";
import { mortalDial } from "./mortal_dial.ts";
import { stage } from "./stage.ts";

const address: ServerAddress = { ip: "10.0.0.1", server: { host: "zk", port: 2181 } };
const { signal } = new AbortController();
const options = { tls: undefined, timeoutMs: 1_000, signal };

const frame = (code: number, path: string): Uint8Array =>
  new JuteWriter().int(7).int(code).string(path).buffer(null).int(-1).frame();

/** A connection of an agent, what the server gets of it, and what the agent hears. */
async function connected(seed: string) {
  const world = stage(seed);
  const got: number[] = [];
  const heard: string[] = [];
  let events: LinkEvents | null = null;
  const dial: Dial = (_address, _options, given) => {
    events = given;
    return Promise.resolve({
      write: (bytes) => {
        got.push(bytes.length);
        return bytes.length;
      },
      terminate: () => got.push(-1),
    });
  };
  const seen: string[] = [];
  world.host.onEffect = ({ what }) => seen.push(what);
  const { life } = world.host.newLife();
  const wire = await mortalDial(life, dial)(address, options, {
    data: (chunk) => heard.push(chunk.toString()),
    drain: () => heard.push("drain"),
    ended: ({ reason }) => heard.push(reason),
  });
  return { ...world, wire, got, heard, seen, events: () => events };
}

test("only what changes the tree is an effect", async () => {
  const { wire, seen, got } = await connected("zookeeper");
  const request = {
    lastZxidSeen: 0x1_0000_0005n,
    timeoutMs: 6_000,
    sessionId: 1n,
    password: noPassword,
    readOnly: false,
  };
  wire.write(connectFrame(new JuteWriter(), request));
  wire.write(pingFrame);
  wire.write(frame(OpCode.getData, "/a"));
  wire.write(Buffer.concat([frame(OpCode.exists, "/a"), frame(OpCode.setData, "/b"), frame(OpCode.delete, "/c")]));
  const part = new JuteWriter().int(8).int(OpCode.multi).int(OpCode.check).bool(false).int(-1).string("/d").frame();
  wire.write(part);
  wire.write(new JuteWriter().int(9).int(OpCode.closeSession).frame());
  expect(seen).toEqual(["set /b, delete /c", "multi at /d", "close the session"]);
  expect(got).toHaveLength(6);
});

test.each([
  ["before", 0],
  ["halfway", 1],
  ["after", 1],
] as const)("an agent may be killed %s a write to ZooKeeper", async (when, writes) => {
  const { wire, host, got, heard, events } = await connected("killed");
  host.plan = () => ({ how: "kill", when });
  expect(wire.write(frame(OpCode.setData, "/b"))).toBe(-1);
  expect(got).toHaveLength(writes);
  expect((got[0] ?? 0) < frame(OpCode.setData, "/b").length).toBe(when !== "after");
  expect(wire.write(pingFrame)).toBe(-1);
  wire.terminate();
  events()?.data(Buffer.from("an answer"));
  events()?.drain();
  events()?.ended({ kind: "lost", reason: "closed" });
  expect(got).toHaveLength(writes);
  expect(heard).toEqual([]);
});

test("one that lives hears its connection", async () => {
  const { wire, heard, got, events } = await connected("alive");
  events()?.data(Buffer.from("an answer"));
  events()?.drain();
  events()?.ended({ kind: "lost", reason: "closed" });
  wire.terminate();
  expect(heard).toEqual(["an answer", "drain", "closed"]);
  expect(got).toEqual([-1]);
});
