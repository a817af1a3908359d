import { ctlFor } from "../../src/ctl/group.ts";
import { program } from "./verb_run.ts";

/** `deployd ctl` and nothing else, with all its verbs. */
export const ctlAlone = program({ ctl: await ctlFor([]) });
