import type { AddressBook } from "./address_book.ts";
import type { Linking } from "./framed_connection.ts";
import type { ServerAddress, DialOptions } from "../dial.ts";
import { HostRound, type Pauses } from "./host_round.ts";

/** How long to wait after all servers were asked once. */
const pauses: Pauses = { firstMs: 150, mostMs: 2_000 };

/**
 * Asks one server after another until one accepts writes.
 * @returns undefined if `asking.signal` was aborted first
 */
export async function findReadWriteServer(
  book: AddressBook,
  means: Linking,
  asking: DialOptions,
): Promise<ServerAddress | undefined> {
  const round = new HostRound(book, means.clock, () => pauses);
  while (!asking.signal.aborted) {
    const { address } = await round.next(asking.signal);
    if ("unknown" in address) continue;
    if ((await fourLetterWord(address, "isro", means, asking)) === "rw") return address;
  }
  return undefined;
}

/** The answer to a four-letter word (an administrator's command); "" if there was none. */
async function fourLetterWord(
  address: ServerAddress,
  word: string,
  { clock, dial }: Linking,
  asking: DialOptions,
): Promise<string> {
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(asking.timeoutMs, over.resolve);
  const onAbort = (): void => over.resolve();
  asking.signal.addEventListener("abort", onAbort, { once: true });
  let answer = "";
  try {
    const wire = await dial(address, asking, {
      data: (chunk) => {
        answer += Buffer.from(chunk).toString("latin1");
      },
      drain: () => undefined,
      ended: () => over.resolve(),
    });
    wire.write(Buffer.from(word));
    await over.promise;
    wire.terminate();
    return answer;
  } catch {
    return "";
  } finally {
    cancel();
    asking.signal.removeEventListener("abort", onAbort);
  }
}
