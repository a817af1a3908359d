// Verifies an archive and unpacks it, as the agent's steps do, in a process of its own.
import { peakKb } from "../processes.ts";
import { digest as digestSchema } from "../../../src/schema/names.ts";
import { unpackArchive, verifyFile } from "../../harness/real_time.ts";

const [archive = "", into = "", digest = "", size = "", maxBytes = "", maxEntries = ""] = Bun.argv.slice(2);

await verifyFile(archive, { digest: digestSchema.parse(digest), size: Number(size), label: "bench" });
await unpackArchive({
  archive,
  into,
  limits: { maxBytes: Number(maxBytes), maxEntries: Number(maxEntries) },
  signal: new AbortController().signal,
});
// Only the process itself can tell: what its parent is told (getrusage) includes the parent's own memory at the start.
process.stdout.write(`${peakKb(process.pid)}\n`);
