import { z } from "zod";
import { emptyJournal, JOURNAL_VERSION, journalSchema, type Journal } from "./journal.ts";
import { parse, parseJson } from "./problems.ts";

/** What the text of a journal's file amounts to. */
export type JournalReading =
  | { readonly kind: "understood"; readonly journal: Journal }
  /**
   * It is a journal, and this agent cannot go by it: a newer one wrote something that has to be acted on and is not known
   * here, or a person's edit does not fit. What is known of it is good for telling, and for nothing else.
   */
  | { readonly kind: "foreign"; readonly newer: boolean; readonly known: Journal; readonly problems: readonly string[] }
  /** Half a file, or another one: there is nothing in it to go by. */
  | { readonly kind: "torn"; readonly problems: readonly string[] };

const fieldsSchema = z.record(z.string(), z.unknown());
type Fields = z.output<typeof fieldsSchema>;

/**
 * Each brings a journal to the next version; the first, one of version 1. It fills in what is missing and leaves what is
 * there, which an agent of that version may have carried along for a newer one. Released ones are never changed.
 */
const migrations: readonly ((old: Fields) => Fields)[] = [
  // Fields that came to version 1 later, so that not every file has them.
  (old) => ({ lastRestart: null, traffic: null, ...old, activation: withSoak(old["activation"]) }),
];

/** Version 1 asked ZooKeeper each time; 0 is what it took where that did not answer. */
function withSoak(activation: unknown): unknown {
  return typeof activation === "object" && activation !== null ? { soakMs: 0, ...activation } : activation;
}

/**
 * An older journal is brought to this version. A newer one is read as if it were of this version, and becomes one: what
 * it has besides is carried along, and the newer agent, when it is back, migrates what this one has written meanwhile.
 * Nothing is guessed: where a field that is known here is missing or has another form, the newer agent may have moved its
 * meaning, and going on without it could forget an activation.
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
  return { kind: "foreign", newer, known: knownOf(fields), problems: journal.problems };
}

function migrated(fields: Fields, version: number): Fields {
  return { ...migrations.slice(version - 1).reduce((old, migrate) => migrate(old), fields), version: JOURNAL_VERSION };
}

/** The fields that are as they are here; the others as if they had never been written. */
function knownOf(fields: Fields): Journal {
  const { error } = journalSchema.safeParse(fields);
  const strange = new Set(error?.issues.map(({ path }) => path[0]));
  const empty = Object.entries(emptyJournal).filter(([name]) => strange.has(name));
  const rest = journalSchema.safeParse({ ...fields, ...Object.fromEntries(empty) });
  return rest.data ?? emptyJournal;
}
