import { expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { JuteReader, JuteWriter } from "../../src/zookeeper/wire/jute.ts";
import { Operations } from "../../src/zookeeper/session/operations.ts";
import { Pending } from "../../src/zookeeper/session/pending.ts";
import { syncRequest } from "../../src/zookeeper/wire/requests.ts";

test("the numbers of operations start over at 1 after 2^31 - 1", () => {
  const operations = new Operations(0x7fff_fffe);
  const sent: number[] = [];
  const outlet = { send: (frame: Uint8Array) => void sent.push(new JuteReader(Buffer.from(frame), 4).int()) };
  const desk = { clock: systemClock, writer: new JuteWriter(), givenUp: () => undefined };
  for (let index = 0; index < 4; index += 1) {
    const pending = new Pending(syncRequest({ path: "/", onServer: "/" }), {}, desk);
    operations.accept(pending as Pending, outlet);
  }
  expect(sent).toEqual([0x7fff_fffe, 0x7fff_ffff, 1, 2]);
});

test("an answer to what was not asked is noticed", () => {
  const operations = new Operations();
  expect(operations.answer({ xid: 7, zxid: 1n, error: 0 }, new JuteReader(Buffer.alloc(0)))).toBe(false);
});
