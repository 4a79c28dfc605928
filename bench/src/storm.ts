import { setTimeout as sleep } from "node:timers/promises";
import type { Storm } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** What came of a storm, in seconds after the kill. */
export interface StormResult {
  /** Clients that were behind at first. */
  readonly clients: number;
  /** When the last one was connected again and had what it missed. */
  readonly overAfterSeconds: number | undefined;
}

const LOOK_EVERY_MS = 100;
const MAX_SECONDS = 120;

/** Kills the first gateway and waits until all clients have come back and caught up. */
export async function startStorm({ options, threads }: Stage, storm: Storm): Promise<StormResult> {
  const { target, say } = options;
  await sleep(storm.afterSeconds * 1000);
  if (target.kill === undefined) throw new Error("a storm needs a mesh of its own: leave --endpoints out");
  say("killing ws-gateway-1");
  const began = performance.now();
  await target.kill("ws-gateway-1");
  let clients = 0;
  while (performance.now() - began < MAX_SECONDS * 1000) {
    const behind = await threads.behind();
    clients = Math.max(clients, behind);
    if (clients > 0 && behind === 0) return { clients, overAfterSeconds: (performance.now() - began) / 1000 };
    await sleep(LOOK_EVERY_MS);
  }
  return { clients, overAfterSeconds: undefined };
}
