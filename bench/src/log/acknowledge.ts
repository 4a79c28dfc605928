import type { Bus, Consumption } from "@oceanchat/runtime/bus-types";

/** How long query may take to notice, in milliseconds. */
const NOTICED_MS = 2_500;
const LOOK_MS = 20;

/** Acknowledges whatever comes to a consumer of the log, as the writer does once it has stored it. */
export function startAcking(bus: Bus, consumer: string): Promise<Consumption> {
  return bus.consume({
    stream: "LOG",
    consumer,
    lanes: 1,
    laneOf: () => 0,
    maxBatch: 1000,
    maxInFlight: 10_000,
    handle: async () => undefined,
  });
}

/** Until everything that is there is acknowledged and query has noticed. */
export async function untilAcked(bus: Bus, consumer: string): Promise<void> {
  const { lastSequence } = await bus.position("LOG");
  while (((await bus.ackFloor("LOG", consumer)) ?? 0) < lastSequence) await pause(LOOK_MS);
  await pause(NOTICED_MS);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
