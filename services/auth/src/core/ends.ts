import type { Connections, Notices, SessionEnds, SessionStore } from "../ports.ts";

/**
 * Ends sessions of a user by `end`, which gives those that it ended, and has it told: also when that failed, since it may have
 * taken effect.
 */
export async function ending(
  { ends, notices }: { readonly ends: SessionEnds; readonly notices: Notices },
  userId: string,
  end: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    const ended = await end();
    notices.revoked(userId, ended);
    return ended;
  } finally {
    ends.ended(userId);
  }
}

/** Ends one session. */
export async function endOne(sessions: SessionStore, sessionId: string, userId: string): Promise<readonly string[]> {
  return (await sessions.endSession(sessionId, userId)) ? [sessionId] : [];
}

/**
 * Closes those of a user's connections whose sessions live no more; gives how many there were. It compares what is with
 * what should be, so it may be repeated, and it finds what an earlier time has missed.
 */
export async function closeEnded(
  {
    connections,
    sessions,
    now,
  }: { readonly connections: Connections; readonly sessions: SessionStore; readonly now: () => number },
  userId: string,
): Promise<number> {
  const open = await connections.of(userId);
  if (open.length === 0) return 0;
  // Asked after the connections: a session that has begun by then is never taken for an ended one.
  const live = new Set(await sessions.liveSessionIds([...new Set(open.map(idOf))], new Date(now())));
  const ended = Map.groupBy(
    open.filter((each) => !live.has(idOf(each))),
    ({ address }) => address,
  );
  const closed = await Promise.allSettled(
    [...ended].map(([address, those]) => connections.close(address, [...new Set(those.map(idOf))])),
  );
  let count = 0;
  for (const outcome of closed) {
    if (outcome.status === "rejected") throw outcome.reason;
    count += outcome.value;
  }
  return count;
}

const idOf = ({ sessionId }: { readonly sessionId: string }) => sessionId;
