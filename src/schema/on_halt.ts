import { z } from "zod";

/** `rollback`: at once, by itself. `freeze`: for changes that cannot be taken back, such as migrations. */
export const onHaltSchema = z.enum(["ask", "rollback", "freeze"]);
export type OnHalt = z.output<typeof onHaltSchema>;
