import { illegal } from "./journal_origin.ts";
import type { Journal, ProcessStamp } from "../schema/journal.ts";

/** What the agent has done for the service since the machine booted. */
export type BootEvent =
  /** Written before instances that the boot has left down are started. */
  | { readonly kind: "revival-begun"; readonly bootId: string }
  /** They were started, and these are the service's processes. */
  | {
      readonly kind: "revived";
      readonly build: string;
      readonly processes: readonly ProcessStamp[];
      readonly config: string;
    }
  /**
   * The service was seen running in this boot, or there is nothing to start: a later stop is taken for somebody's
   * intention.
   */
  | { readonly kind: "boot-over"; readonly bootId: string };

type Of<Kind extends BootEvent["kind"]> = Extract<BootEvent, { kind: Kind }>;

export function revivalBegun(journal: Journal, { kind, bootId }: Of<"revival-begun">): Journal {
  const { activation, boot } = journal;
  if (activation !== null) throw illegal(kind, "an activation is under way");
  if (boot === undefined) throw illegal(kind, "nothing is known of the boot before");
  if (boot.id === bootId && boot.over) throw illegal(kind, "this boot is over");
  return {
    ...journal,
    boot: boot.id === bootId ? { ...boot, begun: boot.begun + 1 } : { id: bootId, begun: 1, over: false },
  };
}

export function revived(journal: Journal, { kind, build, processes, config }: Of<"revived">): Journal {
  const { activation, boot } = journal;
  if (activation !== null) throw illegal(kind, "an activation is under way");
  if (boot === undefined || boot.over || boot.begun === 0) throw illegal(kind, "no start was begun");
  return { ...journal, restarted: { build, processes, config } };
}

export function bootOver(journal: Journal, { kind, bootId }: Of<"boot-over">): Journal {
  const { activation, boot } = journal;
  if (activation !== null) throw illegal(kind, "an activation is under way");
  return { ...journal, boot: boot?.id === bootId ? { ...boot, over: true } : { id: bootId, begun: 0, over: true } };
}
