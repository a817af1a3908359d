import { describe, expect, test } from "bun:test";
import { isAllowedSource, requireAllowedSource, shownUrl } from "../../src/fetch/source/policy.ts";

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

  const GITLAB = "https://gitlab.example.com/api/v4/projects/group%2Fproject/packages/generic/web";

  for (const url of [
    `${GITLAB}/1/web.tar.zst`,
    `${GITLAB}/1/a%2fb.tar`,
    GITLAB.replace("%2F", "%2f"),
    GITLAB.replace("project/", "%70roject/"),
    `${GITLAB}/a..b/..c`,
    `${GITLAB}/100%25/x%20y%zz`,
    `${GITLAB}/1%2F..%2F2`,
  ]) {
    test(`${url} is below ${GITLAB}`, () => {
      expect(allowed(url, GITLAB)).toBe(true);
      expect(allowed(url, "https://gitlab.example.com/api/v4/projects/group%2fproject/")).toBe(true);
      expect(allowed(url, "https://gitlab.example.com")).toBe(true);
    });
  }

  for (const rest of [
    "..%2f..%2fother",
    "..%5Cother",
    "1%2F..%2F..%2Fother",
    "%252e%252e/other",
    "..%252F..%252Fother",
    "..%25252fother",
    "..;/other",
    "..;a=b%2fother",
    "..%3b/other",
    "1/..%2f..%2fweb/1",
    `..%${"25".repeat(20)}2fother`,
  ]) {
    test(`what follows a prefix does not climb out of it as ${rest}`, () => {
      const refused = () => requireAllowedSource(new URL(`${GITLAB}/${rest}`), ["https://other.example.com", GITLAB]);
      expect(refused).toThrow(`decoded, its path leaves ${GITLAB}, below which this host accepts builds`);
      expect(allowed(`${GITLAB}/${rest}`, GITLAB)).toBe(false);
    });
  }

  for (const [url, prefix] of [
    ["https://builds.example.com/web%2Fa", PREFIX],
    [GITLAB.replace("%2F", "/"), GITLAB],
    [GITLAB, GITLAB.replace("%2F", "/")],
    [`${GITLAB}%2F1`, GITLAB],
  ] as const) {
    test(`${url} is not below ${prefix}: an encoded slash is a part of a name, and that is said`, () => {
      expect(allowed(url, prefix)).toBe(false);
      const refused = () => requireAllowedSource(new URL(url), [prefix]);
      expect(refused).toThrow(`accepts builds from ${prefix} only`);
      expect(refused).toThrow("a %2F or %5C is a part of a name, not a slash");
    });
  }

  test("what need not be encoded in a path may be", () => {
    const NPM = "https://npm.example.com/@scope%2fweb";
    for (const url of [NPM, NPM.replace("@", "%40"), NPM.replace("2f", "2F")]) {
      for (const prefix of [NPM, NPM.replace("@", "%40")]) expect(allowed(`${url}/-/web-1+2.tgz`, prefix)).toBe(true);
    }
    expect(allowed("https://npm.example.com/a%3Bb/", "https://npm.example.com/a;b/")).toBe(false);
  });

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
