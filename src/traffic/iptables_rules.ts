/** How one host port is spread by a chain of our own in iptables' table nat; rules are as `iptables-save` prints them. */
export interface NatRules {
  readonly chain: string;
  /** The port that clients use. */
  readonly front: number;
  /** The ports of the instances that are on. */
  readonly backs: readonly number[];
}

/** Connections from other hosts pass PREROUTING, those of this host OUTPUT. */
const HOOKS = ["PREROUTING", "OUTPUT"];

/** The rules of our own that a dump by `iptables-save -t nat` shows. */
interface OwnRules {
  readonly exists: boolean;
  readonly rules: readonly string[];
  /** Complete rules of other chains that jump to ours: `-A PREROUTING … -j DEPLOYD_web`. */
  readonly jumps: readonly string[];
}

/** The input for `iptables-restore --noflush`, or null if the dump shows that everything is as it should be. */
export function natChange(rules: NatRules, dump: string): string | null {
  const found = findOwn(dump, rules.chain);
  const wanted = chainRules(rules);
  const jumps = HOOKS.map((hook) => jumpRule(hook, rules));
  // Each jump must exist once: a duplicate is surplus, and so is a jump for a former port.
  const surplus = found.jumps.filter((jump, index) => !jumps.includes(jump) || found.jumps.indexOf(jump) !== index);
  const missing = jumps.filter((jump) => !found.jumps.includes(jump));
  const same = found.exists && found.rules.join("\n") === wanted.join("\n");
  if (same && surplus.length === 0 && missing.length === 0) return null;
  return table([
    // Creates the chain, or empties it.
    ...(same ? [] : [`:${rules.chain} - [0:0]`, ...wanted]),
    ...surplus.map(deleted),
    // Inserted first: a rule of somebody else for all local addresses (Docker's) would otherwise take the connection.
    ...missing.map((jump) => jump.replace("-A ", "-I ")),
  ]);
}

/** The input that removes our rules, or null if there are none. */
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
 * The first rule takes every n-th connection, the second every (n-1)-th of the rest, and the last what is left. With no
 * instance on, a rule uses connection tracking and does nothing else: the kernel switches tracking off with the last rule
 * that needs it, and established connections would no longer be translated and would be reset (measured).
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
