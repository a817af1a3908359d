import { group } from "./help.ts";
import type { Process } from "./process.ts";
import type { Group, Verb } from "./verb.ts";

/** Verbs under a common word, none of which is loaded yet: to load all of them takes longer than most take to run. */
export interface LazyGroup<P extends Process> {
  readonly members: Readonly<Record<string, (() => Promise<Verb<P>>) | LazyGroup<P>>>;
  readonly brief: string;
  readonly fullDescription: string;
}

/** @param words that follow the group's: where they name a verb, that one alone is loaded, and otherwise all are */
export async function loaded<P extends Process>(lazy: LazyGroup<P>, words: readonly string[]): Promise<Group<P>> {
  const isAlone = namesVerb(lazy, words);
  const [word = "", ...rest] = isAlone ? words : [];
  const named = Object.entries(lazy.members).filter(([name]) => !isAlone || name === word);
  const members = await Promise.all(
    named.map(async ([name, member]) => {
      return [name, typeof member === "function" ? await member() : await loaded(member, rest)] as const;
    }),
  );
  const { brief, fullDescription } = lazy;
  return group<P>({ members: Object.fromEntries(members), brief, fullDescription });
}

function namesVerb<P extends Process>({ members }: LazyGroup<P>, [word = "", ...rest]: readonly string[]): boolean {
  const member = Object.hasOwn(members, word) ? members[word] : undefined;
  return typeof member === "function" || (member !== undefined && namesVerb(member, rest));
}
