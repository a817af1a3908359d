import { expect, test } from "bun:test";
import { maskedUrl, secretInUrl } from "../../src/support/secret_url.ts";

const SECRET = "hunter2hunter2hunter2";
const BASE = "https://builds.example.com/web/v1.tar.zst";

test.each([
  `https://me:${SECRET}@builds.example.com/web/v1.tar.zst`,
  `https://${SECRET}@builds.example.com/web/v1.tar.zst`,
  `https://:${SECRET}@builds.example.com/web/v1.tar.zst`,
  `${BASE}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=${SECRET}`,
  `${BASE}?x-amz-security-token=${SECRET}`,
  `${BASE}?X-Goog-Signature=${SECRET}`,
  `${BASE}?AWSAccessKeyId=me&Signature=${SECRET}&Expires=1`,
  `${BASE}?sv=2024&se=2027&sr=b&sp=r&sig=${SECRET}`,
  `${BASE}?Policy=x&Signature=${SECRET}&Key-Pair-Id=K`,
  `${BASE}?OSSAccessKeyId=me&Signature=${SECRET}`,
  `${BASE}?q-sign-algorithm=sha1&q-signature=${SECRET}`,
  `${BASE}?hdnea=exp=1~acl=/*~hmac=${SECRET}`,
  `${BASE}?md5=${SECRET}&expires=2147483647`,
  `${BASE}?token=${SECRET}`,
  `${BASE}?TOKEN=${SECRET}`,
  `${BASE}?%74oken=${SECRET}`,
  `${BASE}?a=1;token=${SECRET}`,
  `${BASE}?private_token=${SECRET}`,
  `${BASE}?job-token=${SECRET}`,
  `${BASE}?access_token=${SECRET}`,
  `${BASE}?auth=${SECRET}`,
  `${BASE}?auth_key=${SECRET}`,
  `${BASE}?apikey=${SECRET}`,
  `${BASE}?api-key=${SECRET}`,
  `${BASE}?key=${SECRET}`,
  `${BASE}?password=${SECRET}`,
  `${BASE}?pwd=${SECRET}`,
  `${BASE}?jwt=${SECRET}`,
  `${BASE}?x=ghp_${"hunter2".repeat(4)}`,
  `${BASE}?to=${encodeURIComponent(`https://me:${SECRET}@b.example/`)}`,
  `${BASE}?to=${encodeURIComponent(`https://b.example/?X-Amz-Signature=${SECRET}`)}`,
  `${BASE}#access_token=${SECRET}`,
  `https://builds.example.com/web;token=${SECRET}/v1.tar.zst`,
  `https://builds.example.com/token=${SECRET}/v1.tar.zst`,
  `https://builds.example.com/ghp_${"hunter2".repeat(4)}/v1.tar.zst`,
])("a secret is found in %s, and masked", (text) => {
  const problem = secretInUrl(new URL(text));
  expect(problem).not.toBeNull();
  expect(problem).not.toContain("hunter2");
  const masked = maskedUrl(text);
  expect(masked).not.toContain("hunter2");
  expect(masked).toContain("[redacted]");
  expect(masked).toStartWith("https://");
});

test.each([
  BASE,
  "http://127.0.0.1:8080/a?part=2",
  "file:///mnt/builds/web%20v1.tar.zst",
  `${BASE}?version=12&sha256=${"ab".repeat(32)}`,
  `${BASE}?key=web/v1.tar.zst`,
  `${BASE}?author=ana&design=new&passed=yes`,
  `${BASE}?token=`,
  "https://builds.example.com/tokens/v1.tar.zst#top",
  "https://builds.example.com/9b1e0d4d8f0f4a5c9d/secret-santa.tar",
])("nothing is found in %s, and it is shown as it is", (text) => {
  expect(secretInUrl(new URL(text))).toBeNull();
  expect(maskedUrl(text)).toBe(text);
});

test("only what is secret is masked", () => {
  expect(maskedUrl(`https://me:${SECRET}@b.example:8443/a?part=2&token=${SECRET}&b=3`)).toBe(
    "https://[redacted]@b.example:8443/a?part=2&token=[redacted]&b=3",
  );
  expect(maskedUrl(`no URL, but password=${SECRET}`)).toBe("no URL, but password=[redacted]");
});
