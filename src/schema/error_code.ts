import { z } from "zod";

/**
 * Stable codes of everything that can go wrong. They are part of the interface: they appear in `--json` output, in the
 * status and in metrics, and docs/errors.md explains each.
 */
export const errorCodeSchema = z.enum([
  // Configuration and usage
  "usage",
  "config-invalid",
  "manifest-invalid",
  "recipe-invalid",
  "policy-refused",
  // ZooKeeper
  "zookeeper-unreachable",
  "zookeeper-data-invalid",
  "format-unknown",
  "write-unknown",
  "conflict",
  // Things that were named and do not exist, or that are in the way
  "service-unknown",
  "build-unknown",
  "build-exists",
  "build-barred",
  "host-unknown",
  "deploy-unknown",
  "timeline-unknown",
  "deploy-running",
  "deploy-mismatch",
  "frozen",
  "nothing-to-do",
  // Prepare
  "fetch-failed",
  "digest-mismatch",
  "archive-invalid",
  "archive-hostile",
  "disk-full",
  "install-failed",
  "install-timeout",
  // Activate
  "current-not-a-link",
  "restart-failed",
  "restart-timeout",
  "check-failed",
  "instances-unavailable",
  "drain-timeout",
  "traffic-failed",
  "attempts-exhausted",
  // The process itself
  "already-running",
  "port-taken",
  "journal-unreadable",
  "aborted",
  "internal",
]);
export type ErrorCode = z.output<typeof errorCodeSchema>;
