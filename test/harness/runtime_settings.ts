/**
 * Has a program of Bun's keep the memory that it was given. Without it the allocator gives what is free back at once, by a
 * thread of its own, and is given it again: a fifth of the processor time of a short life, which tells a test nothing.
 */
export const KEPT_MEMORY = { MIMALLOC_PURGE_DELAY: "-1" } as const;

/**
 * For an agent or a ctl that lives for seconds, and mostly waits: its code is interpreted, as to compile it takes a fifth of
 * that life and never pays. What is measured, loaded or attacked by a nemesis is compiled as it
 * is for everybody.
 */
export const SHORT_LIFE = { ...KEPT_MEMORY, BUN_JSC_useBaselineJIT: "0", BUN_JSC_useDFGJIT: "0" } as const;
