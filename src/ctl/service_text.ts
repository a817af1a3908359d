import type { ServiceSettings } from "../schema/znodes.ts";
import { count } from "../view/words.ts";

export function settingsFields({ max, budget, soakMs }: ServiceSettings) {
  return { max, budget, soak_s: soakMs / 1000 };
}

export function serviceDocument(service: string, settings: ServiceSettings) {
  return { schema: "deployd.ctl.service/1", service, settings: settingsFields(settings) };
}

export function serviceLines(service: string, { max, budget, soakMs }: ServiceSettings): string[] {
  return [
    `${service}: max ${max} (${count(max, "host")} may be out of service at once)`,
    `${" ".repeat(service.length)}  budget ${budget} (the deploy halts when ${budget === 0 ? "any host fails" : `more than ${count(budget, "host")} failed`})`,
    `${" ".repeat(service.length)}  soak ${soakMs / 1000}s`,
  ];
}
