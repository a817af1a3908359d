import type { PostAnswer, PostRequest } from "../machine/network.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { isUntrusted, type Trust } from "../support/trust.ts";
import type { HostNames } from "./reach.ts";
import { askEach, requestAt } from "./request.ts";

/**
 * Sends a POST to wherever agent.toml says, and reads no more of the answer than its head. Its URL is a secret, which an
 * error of the system may quote in part: only the error's code is passed on.
 */
export async function postNotice(
  { url, headers, body }: PostRequest,
  signal: AbortSignal,
  { names, trust }: { readonly names: Pick<HostNames, "lookup">; readonly trust: Trust },
): Promise<PostAnswer> {
  try {
    const addresses = await names.lookup(url.hostname.replace(/^\[(.*)\]$/, "$1"));
    const length = String(Buffer.byteLength(body));
    const response = await askEach(addresses, (address) =>
      requestAt(
        address,
        url,
        { method: "POST", headers: { ...headers, "content-length": length }, body },
        trust,
        signal,
      ),
    );
    response.destroy();
    return { kind: "answered", status: response.statusCode ?? 0 };
  } catch (error) {
    return { kind: "unanswered", why: whyNot(error) };
  }
}

function whyNot(error: unknown): string {
  const code = errorCodeOf(error) ?? "";
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (isUntrusted(code)) return `its certificate is not trusted (${code})`;
  return code === "" ? "the connection failed" : `the connection failed (${code})`;
}
