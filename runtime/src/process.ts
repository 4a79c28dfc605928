import type { Keys } from "./config.ts";
import type { Start } from "./host.ts";
import { processKeys } from "./process-config.ts";
import { runProgram } from "./program.ts";

/** Runs a service as a process of its own. */
export async function runProcess(service: string, keys: Keys, start: Start): Promise<void> {
  await runProgram({
    name: service,
    keys: { ...processKeys, ...keys },
    prepare: async (life) => {
      const host = await life.host(service, life.env);
      return { start: () => start(host), stop: () => host.stop() };
    },
  });
}
