import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deployErrorOf, never, Scratch } from "./scratch.ts";
import { fetchToFile } from "../support/real_time.ts";

const scratch = new Scratch();
let https: Bun.Server<undefined>;
let http: Bun.Server<undefined>;
let askedInPlain = 0;

beforeAll(() => {
  const made = Bun.spawnSync(
    [
      "openssl",
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(" "),
      ..."-keyout key.pem -out cert.pem -addext subjectAltName=DNS:localhost,IP:127.0.0.1".split(" "),
    ],
    { cwd: scratch.path },
  );
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
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
    tls: { key: Bun.file(scratch.at("key.pem")), cert: Bun.file(scratch.at("cert.pem")) },
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

/** Fetches in a process that trusts the certificate, which a process can only be told when it starts. */
async function fetchTrusting(path: string): Promise<string> {
  const program = `
    const { fetchToFile } = await import(${JSON.stringify(`${import.meta.dir}/../support/real_time.ts`)});
    try {
      await fetchToFile({
        url: ${JSON.stringify(`https://127.0.0.1:${https.port}${path}`)},
        into: ${JSON.stringify(scratch.at(`spool${path.replaceAll("/", "-")}`))},
        size: 5, sources: [], signal: new AbortController().signal,
      });
      console.log("fetched");
    } catch (error) {
      console.log(error.code);
    }`;
  await using child = Bun.spawn([process.execPath, "-e", program], {
    cwd: scratch.path,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: scratch.at("cert.pem") },
    stderr: "inherit",
  });
  return (await child.stdout.text()).trim();
}

describe("fetching over HTTPS", () => {
  test("works with a trusted certificate", async () => {
    expect(await fetchTrusting("/build")).toBe("fetched");
    expect(await Bun.file(scratch.at("spool-build")).text()).toBe("build");
  });

  test("a redirect to plain HTTP is refused, and nothing is asked there", async () => {
    expect(await fetchTrusting("/downgrade")).toBe("policy-refused");
    expect(askedInPlain).toBe(0);
  });

  test("an untrusted certificate is final", async () => {
    const url = `https://127.0.0.1:${https.port}/build`;
    const error = await deployErrorOf(
      fetchToFile({ url, into: scratch.at("untrusted"), size: 5, sources: [], signal: never() }),
    );
    expect(error).toMatchObject({ code: "fetch-failed", retry: false });
    expect(error.message).toContain("its certificate is not trusted");
  });
});
