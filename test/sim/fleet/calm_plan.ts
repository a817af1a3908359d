import type { WorldPlan } from "./world_plan.ts";

/** A small world in which nothing goes wrong by itself, and that has everything that a roll can have. */
export const CALM: WorldPlan = {
  hosts: 3,
  canaries: 1,
  instances: 2,
  restart: "command",
  traffic: "nft",
  max: 1,
  budget: 3,
  soakMs: 1_000,
  sessionTimeoutS: 4,
  servers: 1,
  deploys: 1,
  faultsPerMinute: 0,
  reimages: 0,
  leaves: 0,
  errandEveryS: 0,
  pastDeploys: 0,
  formerTraffic: "nft",
  clockErrorMs: 0,
  tells: false,
};
