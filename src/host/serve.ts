import type { HttpAnswer, HttpPort } from "../support/http_port.ts";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { errorCodeOf } from "../support/file_error.ts";

/** How long answers may still be written when the agent ends, in milliseconds; an open stream is cut off after that. */
const CLOSE_MS = 500;

/** How a port is spoken of where it cannot be opened. */
export interface PortWords {
  /** As in "the status port". */
  readonly what: string;
  /** What to do to have it elsewhere. */
  readonly hint: string;
}

/** Serves HTTP at an address of this machine. @throws DeployError `port-taken`, `config-invalid` */
export function serve(answer: HttpAnswer, listen: string, clock: Clock, words: PortWords): HttpPort {
  const at = listen.lastIndexOf(":");
  const hostname = listen.slice(0, at).replace(/^\[|\]$/g, "");
  const port = Number(listen.slice(at + 1));
  try {
    const server = Bun.serve({
      hostname,
      port,
      fetch: (request, of) => {
        const peer = of.requestIP(request)?.address;
        return answer(request, peer === undefined ? {} : { peer });
      },
      idleTimeout: 30,
    });
    const shown = hostname.includes(":") ? `[${hostname}]` : hostname;
    return {
      address: `${shown}:${server.port}`,
      [Symbol.asyncDispose]: async () => {
        await Promise.race([server.stop(), clock.sleep(CLOSE_MS)]);
        await server.stop(true);
      },
    };
  } catch (error) {
    const code = errorCodeOf(error);
    throw new DeployError(
      `Cannot open ${words.what} ${listen}: ${error instanceof Error ? error.message : String(error)}.`,
      {
        code: code === "EADDRINUSE" ? "port-taken" : "config-invalid",
        hint: words.hint,
        cause: error,
      },
    );
  }
}
