import type { Logger } from "pino";
import { closings } from "./core/closing.ts";
import type { Gateway } from "./gateway.ts";
import type { AuthPort } from "./ports.ts";

/** As many as auth takes at once. */
const AT_ONCE = 1_000;

/** Ends the connections of sessions that have ended: what revocations that are pushed may have missed. */
export async function checkSessions(gateway: Gateway, auth: AuthPort, log: Logger): Promise<void> {
  const all = gateway.sessions.sessionIds();
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const asked = all.slice(at, at + AT_ONCE);
    const live = await auth.liveSessions(asked);
    const closed = gateway.close(
      [],
      asked.filter((id) => !live.has(id)),
      closings.sessionOver,
    );
    if (closed > 0) log.info({ connections: closed }, "closed connections of sessions that have ended");
  }
}
