import { describe, expect, test } from "bun:test";
import { isAllowedSource, shownUrl } from "../../src/fetch/source_policy.ts";

const PREFIX = "https://builds.example.com/web";

function allowed(url: string, ...prefixes: string[]): boolean {
  return isAllowedSource(new URL(url), prefixes);
}

describe("the policy on sources", () => {
  test("no prefix allows every source", () => {
    expect(allowed("http://anywhere.example.com/x")).toBe(true);
  });

  for (const url of [
    "https://builds.example.com/web",
    "https://builds.example.com/web/",
    "https://builds.example.com/web/a/b.tar.zst?signature=x",
    "https://BUILDS.example.com:443/web/a",
    "https://user:word@builds.example.com/web/a",
    "https://builds.example.com/api/../web/a",
  ]) {
    test(`${url} is at or below ${PREFIX}`, () => {
      expect(allowed(url, "https://other.example.com/", PREFIX)).toBe(true);
      expect(allowed(url, `${PREFIX}/`)).toBe(true);
    });
  }

  for (const url of [
    "http://builds.example.com/web/a",
    "https://builds.example.com:8443/web/a",
    "https://builds.example.com.evil.example/web/a",
    "https://builds.example.com@evil.example/web/a",
    "https://evil.example/https://builds.example.com/web/a",
    "https://evil.example/#https://builds.example.com/web",
    "https://builds.example.com/web-evil/a",
    "https://builds.example.com/webevil",
    "https://builds.example.com/web/../evil",
    "https://builds.example.com/web/%2e%2e/evil",
    "https://builds.example.com/web/.%2E/evil",
    "https://builds.example.com/web\\..\\..\\evil",
    "https://builds.example.com/web/..%2f..%2fevil",
    "https://builds.example.com/web/..%5C..%5Cevil",
    "https://builds.example.com/WEB/a",
    "file:///web/a",
  ]) {
    test(`${url} is not below ${PREFIX}`, () => {
      expect(allowed(url, PREFIX)).toBe(false);
    });
  }

  test("a prefix that is no URL allows nothing", () => {
    expect(allowed("https://builds.example.com/web", "builds.example.com")).toBe(false);
  });

  test("a prefix of the whole host allows each of its paths", () => {
    expect(allowed("https://builds.example.com/any/thing", "https://builds.example.com")).toBe(true);
  });

  test("a shown URL has no credentials, query or fragment", () => {
    expect(shownUrl(new URL("https://me:secret@host:8443/a%1b/b?token=secret#secret"))).toBe(
      "https://host:8443/a%1b/b",
    );
  });
});
