import { cpus, release, totalmem } from "node:os";

/** What was measured on. */
export const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cpus: cpus().length,
  memoryBytes: totalmem(),
  kernel: release(),
  node: process.version,
} as const;
