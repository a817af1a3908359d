/** How one host port is spread by a chain of our own in iptables' table nat; rules as `iptables-save` prints them. */
export interface NatRules {
  readonly chain: string;
  /** The port that clients use. */
  readonly front: number;
  /** Those of the instances that are on. */
  readonly backs: readonly number[];
}

/** Connections from other hosts pass PREROUTING, those of this host OUTPUT. */
const HOOKS = ["PREROUTING", "OUTPUT"];

/** The rules of our own that a dump by `iptables-save -t nat` shows. */
interface OwnRules {
  readonly exists: boolean;
  readonly rules: readonly string[];
  /** Rules of other chains that lead into ours, whole: `-A PREROUTING … -j DEPLOYD_web`. */
  readonly jumps: readonly string[];
}

/** What `iptables-restore --noflush` has to do, or null when the dump shows all as it should be. */
export function natChange(rules: NatRules, dump: string): string | null {
  const found = findOwn(dump, rules.chain);
  const wanted = chainRules(rules);
  const jumps = HOOKS.map((hook) => jumpRule(hook, rules));
  // Each once: what stands there twice is one too many, and so is one for a port of before.
  const surplus = found.jumps.filter((jump, index) => !jumps.includes(jump) || found.jumps.indexOf(jump) !== index);
  const missing = jumps.filter((jump) => !found.jumps.includes(jump));
  const same = found.exists && found.rules.join("\n") === wanted.join("\n");
  if (same && surplus.length === 0 && missing.length === 0) return null;
  return table([
    // Makes the chain, or empties it.
    ...(same ? [] : [`:${rules.chain} - [0:0]`, ...wanted]),
    ...surplus.map(deleted),
    // In front: a rule of somebody else's for all local addresses (Docker's) would have taken the connection.
    ...missing.map((jump) => jump.replace("-A ", "-I ")),
  ]);
}

/** What takes our rules away, or null when there are none. */
export function natRemoval(chain: string, dump: string): string | null {
  const found = findOwn(dump, chain);
  if (!found.exists && found.jumps.length === 0) return null;
  return table([...found.jumps.map(deleted), `-F ${chain}`, `-X ${chain}`]);
}

function findOwn(dump: string, chain: string): OwnRules {
  const lines = dump.split("\n").map((line) => line.trim());
  return {
    exists: lines.some((line) => line.startsWith(`:${chain} `)),
    rules: lines.filter((line) => line.startsWith(`-A ${chain} `)),
    jumps: lines.filter((line) => line.startsWith("-A ") && new RegExp(` -[jg] ${chain}$`).test(line)),
  };
}

function jumpRule(hook: string, { chain, front }: NatRules): string {
  return `-A ${hook} -p tcp -m tcp --dport ${front} -m addrtype --dst-type LOCAL -j ${chain}`;
}

/**
 * The first takes every n-th connection, the second every (n-1)-th of the rest, and the last what is left. With nobody
 * on, a rule asks for connection tracking and does nothing: the kernel switches that off with the last rule that needs
 * it, and established connections would be translated no longer and reset (measured).
 */
function chainRules({ chain, backs }: NatRules): string[] {
  if (backs.length === 0) return [`-A ${chain} -p tcp -m conntrack --ctstate NEW -j RETURN`];
  return backs.map((port, index) => {
    const left = backs.length - index;
    const share = left === 1 ? "" : `-m statistic --mode nth --every ${left} --packet 0 `;
    return `-A ${chain} -p tcp ${share}-j REDIRECT --to-ports ${port}`;
  });
}

function deleted(rule: string): string {
  return rule.replace("-A ", "-D ");
}

/** One table is one transaction. */
function table(lines: readonly string[]): string {
  return `*nat\n${lines.join("\n")}\nCOMMIT\n`;
}
