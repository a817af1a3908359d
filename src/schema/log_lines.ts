/** How many lines of a log a host's status port sends, and `ctl logs` asks for, unless somebody says otherwise. */
export const DEFAULT_LINES = 100;
/** The most that can be asked for. */
export const MOST_LINES = 10_000;
