import { expect, test } from "bun:test";
import { parseConnectString } from "../../../src/zookeeper/connect_string.ts";
import type { Dial } from "../../../src/zookeeper/dial.ts";
import { JuteWriter } from "../../../src/zookeeper/wire/jute.ts";
import { multiRequest, op } from "../../../src/zookeeper/wire/multi.ts";
import { Chroot } from "../../../src/zookeeper/wire/node_paths.ts";
import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";
import { countedDial, type SentRequest } from "./counted_dial.ts";
import { slopes } from "./growth.ts";
import { RequestCounts } from "./request_counts.ts";

const [server] = parseConnectString("127.0.0.1:2181").servers;
const ignored = { data: () => {}, drain: () => {}, ended: () => {} };

function request(opcode: number, write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter().reset().int(1).int(opcode);
  write(writer);
  return Buffer.from(writer.frame());
}

/** Sends these bytes over a wire that takes only so many of them at once, and returns what was told. */
async function told(bytes: Buffer, atOnce: number): Promise<SentRequest[]> {
  if (server === undefined) throw new Error("there is no server");
  const wire: Dial = async () => ({ terminate: () => {}, write: (some) => Math.min(atOnce, some.length) });
  const requests: SentRequest[] = [];
  const dial = countedDial(wire, (each) => requests.push(each));
  const signal = new AbortController().signal;
  const counted = await dial({ server, ip: "127.0.0.1" }, { tls: undefined, timeoutMs: 1, signal }, ignored);
  for (let at = 0; at < bytes.length;) at += counted.write(bytes.subarray(at));
  return requests;
}

const handshake = request(0, () => {});
const get = request(OpCode.getData, (writer) => writer.string("/x/services/web/enabled").bool(false));
const begin = request(OpCode.multi, (writer) =>
  multiRequest(
    [
      op.check("/services/web/slots/h"),
      op.create("/services/web/failed/h", "{}"),
      op.delete("/services/web/slots/h"),
      op.set("/services/web/status/h", "{}"),
    ],
    new Chroot("/x"),
  ).encode(writer),
);

test.each([1, 7, 10_000])("requests are told whole when the socket takes %d bytes at once", async (atOnce) => {
  const requests = await told(Buffer.concat([handshake, get, begin, get]), atOnce);
  expect(requests.map(({ opcode }) => opcode)).toEqual([OpCode.getData, OpCode.multi, OpCode.getData]);
  expect(requests[0]?.path).toBe("/x/services/web/enabled");
  expect(requests[1]?.parts.map(({ path }) => path)).toEqual([
    "/x/services/web/slots/h",
    "/x/services/web/failed/h",
    "/x/services/web/slots/h",
    "/x/services/web/status/h",
  ]);
});

test("a multi is one write, and the reads of a look at everything are not those of a deploy", async () => {
  const counts = new RequestCounts();
  for (const each of await told(Buffer.concat([handshake, begin, get, get, get, get]), 10_000)) counts.take(each);
  expect([counts.writes, counts.readsOfDeploys, counts.looks]).toEqual([1, 4, 0]);
  for (const section of ["", "/hosts/h", "/enabled", "/builds/b", "/deploys/d", "/status/h"])
    counts.take({ opcode: OpCode.getData, path: `/x/services/web${section}`, parts: [] });
  expect([counts.writes, counts.readsOfDeploys, counts.looks]).toEqual([1, 4, 1]);
});

test("growth is compared by what one more host costs", () => {
  const growth = new Map([
    [100, 110],
    [1_000, 200],
    [5_000, 1_000],
  ]);
  expect(slopes(growth, (value) => value)).toEqual([0.1, 0.2]);
  expect(slopes(new Map([[100, 1]]), (value) => value)).toBeNull();
});
