import { expect, test } from "bun:test";
import { betweenServicesSchema } from "../../src/schema/between_services.ts";
import { parse } from "../../src/schema/problems.ts";

test.each([{}, { notWhile: ["db"], after: ["db", "cache"], exclusive: true }, { notWhile: [], without: ["x"] }])(
  "%j are rules between services",
  (rules) => {
    expect(parse(betweenServicesSchema, rules)).toEqual({ ok: true, value: rules as never });
  },
);

test.each([
  [{ notWhile: "db" }, '"notWhile": a list is required, not a text'],
  [{ after: ["db", "db"] }, '"after": "db" is named twice'],
  [
    { after: ["-x"] },
    '"after.0": a service name is made of letters, digits and . _ - and starts with a letter or a digit',
  ],
  [{ exclusive: "yes" }, '"exclusive": true or false is required, not a text'],
])("%j are none: %s", (rules, problem) => {
  expect(parse(betweenServicesSchema, rules)).toEqual({ ok: false, problems: [problem] });
});
