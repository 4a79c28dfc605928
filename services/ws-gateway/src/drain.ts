import { setTimeout } from "node:timers/promises";
import { closings } from "./core/closing.ts";
import { goAwayPacket } from "./core/packets.ts";
import type { Session } from "./session.ts";
import { inSlices, SLICE, shuffled, spreadOver } from "./slices.ts";

/** How long clients may take to answer that their connection is closed. */
const LINGER_MS = 1_000;
const STEP_MS = 20;

/**
 * Asks the clients to go elsewhere and closes those that don't, spread over a time. Each is closed about when it was asked to be
 * elsewhere, so that its user is away for as short as can be.
 */
export async function drain(open: Iterable<Session>, ms: number): Promise<void> {
  const sessions = shuffled(open);
  const step = ms / Math.max(1, sessions.length);
  let at = 0;
  await inSlices(sessions, SLICE, (session) => {
    session.tell(goAwayPacket(session.codec, closings.draining.reason, Math.floor(step * at++)));
  });
  await spreadOver(sessions, ms, (session) => session.close(closings.draining));
  for (let waitedMs = 0; waitedMs < LINGER_MS && sessions.some((session) => !session.isCut); waitedMs += STEP_MS) {
    await setTimeout(STEP_MS);
  }
  for (const session of sessions) session.cut();
}
