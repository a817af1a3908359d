import { expect, test } from "bun:test";
import { saying } from "../../src/support/saying.ts";

test("the last lines are quoted, without blanks, empty lines and secrets", () => {
  expect(saying("one\ntwo\n\n  three \npassword=hunter22.\n")).toBe(", saying: two / three / password=[redacted]");
});

test("who has said nothing is not quoted", () => {
  expect(saying(" \n\n")).toBe("");
});
