import { dial, type TlsOptions } from "./dial.ts";
import type { Address, AddressBook } from "./addresses.ts";
import { HostRound } from "./host_round.ts";
import { pause } from "./pause.ts";

interface Asking {
  readonly tls: TlsOptions | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

// How long to wait between two servers after all of them were asked once, growing from the one to the other.
const firstDelayMs = 100;
const maxDelayMs = 2_000;

/**
 * Asks one server after the other until one takes writes.
 * @returns undefined when `asking.signal` aborted first
 */
export async function findReadWriteServer(
  book: AddressBook,
  random: () => number,
  asking: Asking,
): Promise<Address | undefined> {
  const round = new HostRound(book, random, firstDelayMs, maxDelayMs);
  while (!asking.signal.aborted) {
    const { address, delayMs } = await round.next();
    await pause(delayMs, asking.signal);
    if ("unknown" in address) continue;
    if ((await fourLetterWord(address, "isro", asking)) === "rw") return address;
  }
  return undefined;
}

/** The answer to an administrator's word; "" when there was none. */
async function fourLetterWord(address: Address, word: string, asking: Asking): Promise<string> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, asking.timeoutMs);
  const onAbort = (): void => over.resolve();
  asking.signal.addEventListener("abort", onAbort, { once: true });
  let answer = "";
  try {
    const socket = await dial(address, asking, {
      data: (chunk) => {
        answer += Buffer.from(chunk).toString("latin1");
      },
      drain: () => undefined,
      ended: () => over.resolve(),
    });
    socket.write(word);
    await over.promise;
    socket.terminate();
    return answer;
  } catch {
    return "";
  } finally {
    clearTimeout(timer);
    asking.signal.removeEventListener("abort", onAbort);
  }
}
