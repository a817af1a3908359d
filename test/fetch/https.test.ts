import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isDeployError } from "../../src/core/errors.ts";
import { download } from "../../src/fetch/download.ts";
import { systemTrust } from "../../src/host/system_trust.ts";
import { probeHttp } from "../../src/probe/http.ts";
import { post } from "../../src/probe/post.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ASKING, asked } from "../harness/asking.ts";
import { deployErrorOf, never, Scratch } from "./scratch.ts";

const scratch = new Scratch();
let https: Bun.Server<undefined>;
let http: Bun.Server<undefined>;
let askedInPlain = 0;

beforeAll(() => {
  for (const name of ["cert", "other"]) {
    const made = Bun.spawnSync(
      [
        "openssl",
        ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(" "),
        ...`-keyout ${name}.key -out ${name}.pem -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.split(" "),
      ],
      { cwd: scratch.path },
    );
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  }
  http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch() {
      askedInPlain += 1;
      return new Response("build");
    },
  });
  https = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: Bun.file(scratch.at("cert.key")), cert: Bun.file(scratch.at("cert.pem")) },
    fetch(request) {
      if (new URL(request.url).pathname === "/build") return new Response("build");
      return Response.redirect(`http://127.0.0.1:${http.port}/build`);
    },
  });
});

afterAll(async () => {
  await Promise.all([https.stop(true), http.stop(true)]);
  scratch[Symbol.dispose]();
});

/** How it ends on a host that trusts whoever is in the file. */
async function fetchTrusting(file: string, path: string): Promise<string> {
  const request = { url: `https://127.0.0.1:${https.port}${path}`, into: scratch.at("spool"), size: 5, sources: [] };
  const trust = systemTrust({ SSL_CERT_FILE: scratch.at(file) });
  try {
    await download({ ...request, signal: never() }, { clock: systemClock, trust });
    return "fetched";
  } catch (error) {
    if (isDeployError(error)) return `${error.code}${error.retry ? ", again" : ""}: ${error.message}`;
    throw error;
  }
}

describe("fetching over HTTPS", () => {
  test("works with a trusted certificate", async () => {
    expect(await fetchTrusting("cert.pem", "/build")).toBe("fetched");
    expect(await Bun.file(scratch.at("spool")).text()).toBe("build");
    rmSync(scratch.at("spool"));
  });

  test("a redirect to plain HTTP is refused, and nothing is asked there", async () => {
    expect(await fetchTrusting("cert.pem", "/downgrade")).toStartWith("policy-refused: ");
    expect(askedInPlain).toBe(0);
  });

  test("an untrusted certificate is final, and whose word was asked is told", async () => {
    const said = await fetchTrusting("other.pem", "/build");
    expect(said).toStartWith("fetch-failed: ");
    expect(said).toMatch(/its certificate is not trusted \([A-Z_]+\) by .*other\.pem/);
    expect(await deployErrorOf(fetchSystem("/build"))).toMatchObject({ code: "fetch-failed", retry: false });
  });

  test("an authority that is added to the file is trusted by the next connection, also of a check", async () => {
    writeFileSync(scratch.at("list.pem"), readFileSync(scratch.at("other.pem")));
    const trust = systemTrust({ SSL_CERT_FILE: scratch.at("list.pem") });
    const url = `https://127.0.0.1:${https.port}/build`;
    const check = () =>
      probeHttp({ kind: "http", url, expectStatus: [200], timeoutMs: 5_000 }, never(), ASKING, { ...asked, trust });
    const tell = () => post(url, never(), ASKING, { ...asked, trust });
    expect(await check()).toMatchObject({ ok: false, reason: "certificate not trusted" });
    expect(JSON.stringify(await check())).toContain("list.pem");
    expect(await tell()).toContain("its certificate is not trusted");
    appendFileSync(scratch.at("list.pem"), readFileSync(scratch.at("cert.pem")));
    expect(await check()).toBeNull();
    expect(await tell()).toBe("");
  });
});

function fetchSystem(path: string): Promise<void> {
  const url = `https://127.0.0.1:${https.port}${path}`;
  const request = { url, into: scratch.at("spool"), size: 5, sources: [], signal: never() };
  return download(request, { clock: systemClock, trust: systemTrust({}) });
}
