import { z } from "zod";
import { emptyJournal, JOURNAL_VERSION, journalSchema, type Journal } from "./journal.ts";
import { parse, parseJson } from "./problems.ts";

/** How the text of a journal file can be read. */
export type JournalReading =
  | { readonly kind: "understood"; readonly journal: Journal }
  /**
   * It is a journal, but this agent cannot use it: a newer one wrote something that has to be acted on and is not known
   * here, or a person's edit does not fit. What is known of it may be shown, and used for nothing else.
   */
  | {
      readonly kind: "foreign";
      readonly newer: boolean;
      readonly known: Journal;
      /** It speaks of an activation, whatever that says: the host may be half-way through it. */
      readonly mayBeAtWork: boolean;
      readonly problems: readonly string[];
    }
  /** Half a file, or another kind of file: nothing in it can be used. */
  | { readonly kind: "torn"; readonly problems: readonly string[] };

const fieldsSchema = z.record(z.string(), z.unknown());
type Fields = z.output<typeof fieldsSchema>;

/**
 * Each entry migrates a journal to the next version; the first one, from version 1. It fills in missing fields and does
 * not change existing ones, which an agent of that version may have carried along for a newer one. Released migrations
 * are never changed.
 */
const migrations: readonly ((old: Fields) => Fields)[] = [
  // Fields that were added to version 1 later, so that not every file has them.
  (old) => ({ lastRestart: null, traffic: null, ...old, activation: withSoak(old["activation"]) }),
  // Version 2 also kept which slot was asked for, and whether a failure was reported; statuses say both.
  (old) => old,
];

/** Version 1 read the soak time from ZooKeeper each time, and used 0 where that did not answer. */
function withSoak(activation: unknown): unknown {
  return typeof activation === "object" && activation !== null ? { soakMs: 0, ...activation } : activation;
}

/**
 * An older journal is migrated to this version. A newer one is read as if it were of this version, and becomes one: its
 * additional fields are carried along, and the newer agent, once it is back, migrates what this one has written
 * meanwhile. Nothing is guessed: where a field that is known here is missing or has another form, the newer agent may
 * have moved its meaning, and going on without it could forget an activation.
 */
export function readJournal(text: string): JournalReading {
  const object = parseJson(fieldsSchema, text);
  if (!object.ok) return { kind: "torn", problems: object.problems };
  const { version } = object.value;
  const isNumbered = typeof version === "number" && Number.isInteger(version) && version >= 1;
  const fields = isNumbered ? migrated(object.value, version) : object.value;
  const journal = parse(journalSchema, fields);
  if (journal.ok) return { kind: "understood", journal: journal.value };
  const newer = isNumbered && version > JOURNAL_VERSION;
  const mayBeAtWork = (fields["activation"] ?? null) !== null;
  return { kind: "foreign", newer, known: knownOf(fields), mayBeAtWork, problems: journal.problems };
}

function migrated(fields: Fields, version: number): Fields {
  return { ...migrations.slice(version - 1).reduce((old, migrate) => migrate(old), fields), version: JOURNAL_VERSION };
}

/** The fields that are valid here; the others as if they had never been written. */
function knownOf(fields: Fields): Journal {
  const { error } = journalSchema.safeParse(fields);
  const strange = new Set(error?.issues.map(({ path }) => path[0]));
  const empty = Object.entries(emptyJournal).filter(([name]) => strange.has(name));
  const rest = journalSchema.safeParse({ ...fields, ...Object.fromEntries(empty) });
  return rest.data ?? emptyJournal;
}
