import { z } from "zod";
import { buildId, digest } from "./names.ts";

/**
 * `FILE.manifest.json`, as `deployd pack` writes it beside an archive and `builds add` reads it there. A reader needs the
 * digest and the size alone: whoever packs with other tools may write no more than these.
 */
export const packManifestSchema = z.looseObject({
  build: buildId.optional(),
  digest,
  /** Of the archive, in bytes. */
  size: z.int().min(0),
  /** In the archive. */
  entries: z.int().min(0).optional(),
  /** Of all files once they are unpacked. */
  unpackedBytes: z.int().min(0).optional(),
});

/** The manifest as it is read. */
export type PackManifest = z.output<typeof packManifestSchema>;
