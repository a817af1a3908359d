import { expect, test } from "bun:test";
import { JuteReader, JuteWriter } from "../../src/zookeeper/wire/jute.ts";
import { Refusal } from "../../src/zookeeper/server/reply.ts";
import { RequestLine } from "../../src/zookeeper/server/request_line.ts";

function lineWithNotes(): { line: RequestLine; seen: string[]; ask: (xid: number, text: string) => void } {
  const seen: string[] = [];
  const line = new RequestLine(
    (xid, reply) => void seen.push(`${xid} ${reply instanceof Refusal ? reply.code : "ok"}`),
    (xid, opcode, reader) => void seen.push(`${xid} read ${opcode} ${reader.string()}`),
  );
  const ask = (xid: number, text: string): void => {
    const record = new JuteWriter().string(text).written;
    line.read(xid, 4, new JuteReader(record));
    // The bytes of a chunk are the socket's again as soon as they were looked at.
    record.fill(0);
  };
  return { line, seen, ask };
}

test("what changes nothing is answered at once when nothing is under way", () => {
  const { seen, ask } = lineWithNotes();
  ask(1, "/a");
  expect(seen).toEqual(["1 read 4 /a"]);
});

test("what is asked behind a change waits for it, and no longer", () => {
  const { line, seen, ask } = lineWithNotes();
  const first = line.promise(1);
  ask(2, "/a");
  const third = line.promise(3);
  ask(4, "/b");
  expect(seen).toEqual([]);
  first(() => undefined);
  expect(seen).toEqual(["1 ok", "2 read 4 /a"]);
  third(new Refusal("NO_NODE"));
  expect(seen).toEqual(["1 ok", "2 read 4 /a", "3 NO_NODE", "4 read 4 /b"]);
});

test("a reply that comes before its turn waits for those in front", () => {
  const { line, seen } = lineWithNotes();
  const first = line.promise(1);
  const second = line.promise(2);
  second(() => undefined);
  expect(seen).toEqual([]);
  first(() => undefined);
  expect(seen).toEqual(["1 ok", "2 ok"]);
});

test("what is under way when the connection ends is answered to nobody", () => {
  const { line, seen, ask } = lineWithNotes();
  const first = line.promise(1);
  ask(2, "/a");
  line.clear();
  first(() => undefined);
  expect(seen).toEqual([]);
});
