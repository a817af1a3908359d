import type { Ground, HostInstance, HostService } from "./ground.ts";
import { currentDirectory, readRelease } from "./release.ts";
import type { Services } from "./services.ts";

const SOON_MS = 600;
/** What ends sooner than this is started again after a longer and longer while. */
const SHORT_RUN_MS = 5_000;
/** Shorter than a restart may take, or no restart could ever end well that waits for it. */
const LONGEST_WAIT_MS = 5_000;

/**
 * The host's init. It starts what the services' own commands do not start: at boot, and again whenever it ends, always
 * from what `current` points at by then.
 */
export class Init {
  readonly #ground: Ground;
  readonly #services: Services;
  /** Instances that are started already or will be. */
  readonly #busy = new Set<string>();
  readonly #waits = new Map<string, number>();
  #boot = 0;

  constructor(ground: Ground, services: Services) {
    this.#ground = ground;
    this.#services = services;
  }

  boot(): void {
    this.#boot += 1;
    this.#busy.clear();
    this.#waits.clear();
    this.#startAll(() => true);
  }

  /** The machine has no power any more: whatever it was about to start it does not start. */
  halt(): void {
    this.#boot += 1;
  }

  /** Somebody has made or moved a name: where it is a `current`, there may be something to start now. */
  sawName(path: string): void {
    this.#startAll(({ root }) => path === `${root}/current`);
  }

  #startAll(concerns: (service: HostService) => boolean): void {
    for (const service of this.#ground.services) {
      if (service.restart === "command" || !concerns(service)) continue;
      for (const instance of service.instances) this.#startSoon(service, instance);
    }
  }

  #startSoon(service: HostService, instance: HostInstance): void {
    const key = `${service.name}/${instance.name}`;
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    const boot = this.#boot;
    const waitMs = (this.#waits.get(key) ?? SOON_MS) * (0.3 + this.#ground.chance.random());
    this.#ground.time.after(waitMs, () => {
      if (boot === this.#boot) this.#start(key, service, instance);
    });
  }

  #start(key: string, service: HostService, instance: HostInstance): void {
    const directory = currentDirectory(this.#ground, service.root);
    const release = directory === null ? null : readRelease(this.#ground, directory);
    if (release === null) {
      this.#busy.delete(key);
      return;
    }
    const { process } = this.#services.start({ service, instance, release, byInit: true });
    const { startedAtMs } = process;
    process.onEnd(() => {
      const ranMs = this.#ground.time.nowMs - startedAtMs;
      const waited = this.#waits.get(key) ?? SOON_MS;
      this.#waits.set(key, ranMs < SHORT_RUN_MS ? Math.min(LONGEST_WAIT_MS, waited * 2) : SOON_MS);
      this.#busy.delete(key);
      this.#startSoon(service, instance);
    });
  }
}
