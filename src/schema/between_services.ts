import { z } from "zod";
import { serviceName } from "./names.ts";

/** How many services a rule may name; a fleet has hosts without number, but not services. */
const MOST_SERVICES = 64;

const services = z
  .array(serviceName)
  .max(MOST_SERVICES)
  .superRefine((names, context) => {
    const twice = names.find((name, at) => names.indexOf(name) < at);
    if (twice !== undefined) context.addIssue({ code: "custom", message: `"${twice}" is named twice` });
  });

/** What a service has to heed of others on the same hosts or beside them; part of its settings. */
export const betweenServicesSchema = z.looseObject({
  /** No host is granted a slot while one of these has a running deploy that is past preparing. */
  notWhile: services.optional(),
  /** No host is granted a slot while one of these has a running deploy at all: the service's deploy comes after it. */
  after: services.optional(),
  /** A host is never out of service for this and for another service at once. */
  exclusive: z.boolean().optional(),
});
export type BetweenServices = z.output<typeof betweenServicesSchema>;
