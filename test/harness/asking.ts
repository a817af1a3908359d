import { hostNames } from "../../src/host/machine.ts";
import type { QuestionEffects } from "../../src/probe/http.ts";
import type { Asking } from "../../src/probe/reach.ts";
import { systemTrust } from "../../src/host/system_trust.ts";
import { systemClock } from "../../src/support/clock.ts";

/** What a host lets a build ask and tell whose file says nothing about it. */
export const ASKING: Asking = { hosts: [], quotesAnswers: false };

/** This host, as it asks. */
export const asked: QuestionEffects = { clock: systemClock, names: hostNames, trust: systemTrust({}) };
