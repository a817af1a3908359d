import { expect, test } from "bun:test";
import { askEach } from "../../src/probe/request.ts";
import { rejection } from "../harness/rejection.ts";

const failing = (code: string) => Object.assign(new Error(code), { code });

test("the next address is tried where nothing could be sent to the one before, and only there", async () => {
  for (const code of ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]) {
    const asked: string[] = [];
    const ask = (address: string) => {
      asked.push(address);
      return address === "::1" ? Promise.reject(failing(code)) : Promise.resolve(address);
    };
    expect(await askEach(["::1", "127.0.0.1"], ask)).toBe("127.0.0.1");
    expect(asked).toEqual(["::1", "127.0.0.1"]);
  }
  // What was sent may have been heard.
  const reset = askEach(["::1", "127.0.0.1"], (address) =>
    address === "::1" ? Promise.reject(failing("ECONNRESET")) : Promise.resolve(address),
  );
  expect(await rejection(reset)).toMatchObject({ code: "ECONNRESET" });
});

test("where none can be reached the last one's reason is told", async () => {
  const ask = (address: string) => Promise.reject(failing(address === "::1" ? "ENETUNREACH" : "ECONNREFUSED"));
  expect(await rejection(askEach(["::1", "127.0.0.1"], ask))).toMatchObject({ code: "ECONNREFUSED" });
  expect(await rejection(askEach([], ask))).toMatchObject({ message: "there is no address to ask" });
});
