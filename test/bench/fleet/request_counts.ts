import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";
import type { SentRequest } from "./counted_dial.ts";

const READS: ReadonlySet<number> = new Set([
  OpCode.exists,
  OpCode.getData,
  OpCode.getChildren,
  OpCode.getChildren2,
  OpCode.sync,
]);
const WRITES: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.delete,
  OpCode.setData,
  OpCode.multi,
]);

/**
 * A host looks at everything anew now and then, whatever happens: the service, its own record, the wish, the build, the
 * deploy's record, and its status, which it reads at no other time once it has a journal.
 */
const READS_OF_A_LOOK = 6;

/** What one host has asked of ZooKeeper. A watch that is registered is neither a read nor a write. */
export class RequestCounts {
  writes = 0;
  /** By what was read, for whoever wonders. */
  readonly kinds: Record<string, number> = {};
  #reads = 0;
  #looks = 0;

  take({ opcode, path, parts }: SentRequest): void {
    if (opcode === OpCode.multiRead) for (const part of parts) this.#read(part.path);
    else if (READS.has(opcode)) this.#read(path);
    else if (WRITES.has(opcode)) {
      this.writes += 1;
      this.#note(`write ${kindOf(path === "" ? (parts.at(-1)?.path ?? "") : path)}`);
    }
  }

  /** Without those of the looks that come with time and not with deploys. */
  get readsOfDeploys(): number {
    return this.#reads - this.#looks * READS_OF_A_LOOK;
  }

  get looks(): number {
    return this.#looks;
  }

  #read(path: string): void {
    const kind = kindOf(path);
    this.#reads += 1;
    if (kind === "status") this.#looks += 1;
    this.#note(`read ${kind}`);
  }

  #note(what: string): void {
    this.kinds[what] = (this.kinds[what] ?? 0) + 1;
  }
}

/** The word that says what a node is: of `/chroot/services/web/status/h-1` it is `status`. */
function kindOf(path: string): string {
  const [, , room, , section = "service"] = path.split("/");
  return room === "services" ? section : (room ?? "root");
}
