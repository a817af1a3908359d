import type { Chance } from "../chance.ts";
import type { SimBuild } from "./builds.ts";

/** What the addresses of all builds begin with. */
export const ARTEFACTS = "http://artefacts.example/";

/** What the server of artefacts does to a download. */
export interface ArtefactFaults {
  /** Nobody answers there. */
  away: boolean;
  /** A question is answered with 503. */
  overloaded: boolean;
  /** For how long it asks to be left alone then. */
  retryAfterMs: number;
  /** How often a download is cut somewhere within, from 0 to 1. */
  cuts: number;
  /** How many times as long as usual a chunk takes. */
  slowness: number;
  /** How often it gives other bytes than it should, as many of them. */
  lies: number;
  /** How often it gives more bytes than it should. */
  babbles: number;
}

/** Where builds are fetched from. */
export class ArtefactServer {
  readonly faults: ArtefactFaults = {
    away: false,
    overloaded: false,
    retryAfterMs: 0,
    cuts: 0,
    slowness: 1,
    lies: 0,
    babbles: 0,
  };
  /** Whether a host reaches it. */
  reaches: (host: string) => boolean = () => true;
  readonly builds = new Map<string, SimBuild>();
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** @returns where it can be fetched */
  publish(build: SimBuild): string {
    this.builds.set(build.id, build);
    return `${ARTEFACTS}${build.id}`;
  }

  /** What a host is given of a build from some byte on, and whether the connection breaks at the end of that. */
  answer(url: URL, from: number): { readonly bytes: Uint8Array; readonly isCut: boolean } | null {
    const build = this.builds.get(url.pathname.slice(1));
    if (build === undefined) return null;
    const { archive } = build;
    const chance = this.#chance;
    let bytes = archive.subarray(from);
    if (chance.happens(this.faults.lies)) bytes = withOther(bytes, chance.between(0, Math.max(0, bytes.length - 1)));
    if (chance.happens(this.faults.babbles)) bytes = Buffer.concat([bytes, chance.bytes(100)]);
    if (!chance.happens(this.faults.cuts)) return { bytes, isCut: false };
    return { bytes: bytes.subarray(0, chance.between(0, bytes.length)), isCut: true };
  }
}

function withOther(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
