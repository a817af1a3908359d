/**
 * Worlds that the rehearsal has found broken, and what it was. Any change makes a seed play another story, so that each bug
 * has a test of its own beside its fix; these are played again all the same.
 */
export const ONCE_BROKEN: readonly (readonly [number, string])[] = [
  [33, "a soak ended by time although the last answer was a failure"],
  [18, "an agent took the soak of an unread wish for none"],
  [85, "a pid file seemed older than its process after a clock was set"],
  [111, "a restart by signal right after a boot failed the deploy"],
  [59, "a canary host followed an older wish that was read in parts"],
  [11, "a first build with [drain] behind no traffic back end could not be deployed"],
  [238, "a lost host that said it is ill was healed with its slot"],
  [153, "a host granted beyond max was well again when it began"],
  [188, "a host without traffic stood in nobody's books"],
  [1294, "a deploy was done in the round that granted one of its hosts a slot"],
  [1318, "a newer wish cut short the soak of a build that had died"],
  [2138, "a rollback to an ill build never ended, and nobody could say how to end it"],
  [2308, "the same, of a fleet of which some went back"],
  [2386, "instances that were well in turns passed for a host in service"],
  [2500, "a halted way back that was asked for again was granted nothing"],
  [2150, "void grants were given over and over to a host that an older deploy held for ill"],
  [62, "a host that could not read its journal lost the slot that it was using"],
  [2750, "an agent called well what a power cut had taken down; a host was granted a slot and lost it, over and over"],
  [19, "a failure that nobody asked for any more took the hold of its host with it"],
  [289, "to try the served wish again forgot how often the install steps of the next build were begun"],
];
