import { z } from "zod";
import { buildId, digest } from "./names.ts";

/**
 * `FILE.manifest.json`, which `deployd pack` writes beside an archive and `builds add` reads there. A reader needs only
 * the digest and the size: a manifest made with other tools need contain no more.
 */
export const packManifestSchema = z.looseObject({
  build: buildId.optional(),
  digest,
  /** Size of the archive in bytes. */
  size: z.int().min(0),
  /** Number of entries in the archive. */
  entries: z.int().min(0).optional(),
  /** Size of all unpacked files. */
  unpackedBytes: z.int().min(0).optional(),
});

/** The manifest as it is read. */
export type PackManifest = z.output<typeof packManifestSchema>;
