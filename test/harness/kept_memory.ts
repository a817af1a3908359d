/**
 * Has a program of Bun's keep the memory that it was given. Without it the allocator gives what is free back at once, by a
 * thread of its own, and is given it again: a fifth of the processor time of a short life, which tells a test nothing.
 */
export const KEPT_MEMORY = { MIMALLOC_PURGE_DELAY: "-1" } as const;
