/**
 * What an HTTP service answers at this moment, as `200 text`, or `no answer (why)`. Every question has a connection of
 * its own, so that it reaches the process that listens now.
 */
export async function ask(url: string, timeoutMs = 3_000): Promise<string> {
  try {
    const response = await fetch(url, { keepalive: false, signal: AbortSignal.timeout(timeoutMs) });
    return `${response.status} ${(await response.text()).trim()}`;
  } catch (error) {
    return `no answer (${error instanceof Error ? error.message : String(error)})`;
  }
}
