import { parseJson } from "../schema/problems.ts";
import { releaseRecordSchema, type ReleaseRecord } from "../schema/release_record.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";

/** The record of a release; null where it does not exist or cannot be understood. */
export async function readReleaseRecord(layout: Layout, build: string, files: Files): Promise<ReleaseRecord | null> {
  const parsed = parseJson(releaseRecordSchema, (await files.readIfThere(layout.record(build))) ?? "");
  return parsed.ok ? parsed.value : null;
}

export async function writeReleaseRecord(
  layout: Layout,
  build: string,
  record: ReleaseRecord,
  files: Files,
): Promise<void> {
  await files.writeAtomic(layout.record(build), `${JSON.stringify(record)}\n`);
}
