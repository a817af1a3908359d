import { z } from "zod";
import { targetName } from "./names.ts";

/** `services/<service>/told/<deploy>`: how far each target has been told what became of the deploy. */
export const toldSchema = z.looseObject({
  targets: z
    .record(
      targetName,
      z.looseObject({
        /** The number of the last notice that it has taken, or that was given up. */
        upTo: z.int().min(0),
        /** The last of those that were given up. */
        givenUp: z.array(z.int()).default([]),
      }),
    )
    .default({}),
});
export type Told = z.output<typeof toldSchema>;
