import { tempDir } from "../harness/tempdir.ts";
import { FRONT_PORT, INSTANCES } from "./app.ts";
import { HAND_SPECS, takeInHand } from "./hands.ts";
import { ORDINARY_CLIENTS, remoteTargets, startLoad } from "./load.ts";
import { makeNetwork } from "./network.ts";
import type { RolledOnce } from "./drive.ts";
import type { Outcome } from "./run_variant.ts";
import type { Variant } from "./variants.ts";

/**
 * What a loop over the copies does that knows nothing of traffic: stop, start, wait until it listens, the next one. The
 * spread over them is made once and stays.
 */
export async function rollInLoop(variant: Variant, rolls: number): Promise<Outcome> {
  await using dir = await tempDir();
  await using network = await makeNetwork();
  const hands = await takeInHand(network, dir.path, HAND_SPECS.nft, variant);
  await using load = await startLoad(network.clients, remoteTargets(FRONT_PORT), ORDINARY_CLIENTS);
  const rolled: RolledOnce[] = [];
  for (let number = 1; number <= rolls; number += 1) {
    await load.begin(`v${number}`);
    const startedAt = performance.now();
    for (const { name } of INSTANCES) {
      await hands.stop(name);
      await hands.start(name);
      await hands.untilListening(name);
    }
    rolled.push({ deployMs: Math.round(performance.now() - startedAt), told: null });
    await load.end();
  }
  return { rolls: rolled, loads: [await load.stop()], events: await hands.events() };
}
