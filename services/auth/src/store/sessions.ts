import { shared } from "@oceanchat/runtime/fail";
import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { Session, SessionPlace, SessionStore } from "../ports.ts";

interface SessionDocument extends Omit<Session, "sessionId"> {
  readonly _id: string;
}

/** A user's sessions beyond this number are ended, the least recently used first: device ids are the clients' choice. */
const MAX_PER_USER = 100;
/** How often a login is tried that another one of the same device gets in the way of. */
const MAX_TRIES = 10;

/** The collection `sessions`. */
export async function openSessions(db: Db): Promise<SessionStore> {
  const sessions: Collection<SessionDocument> = db.collection("sessions");
  await sessions.createIndexes([
    { key: { userId: 1, deviceId: 1 }, unique: true },
    { key: { userId: 1, lastUsedTime: -1, _id: -1 } },
    { key: { expireTime: 1 }, expireAfterSeconds: 0 },
  ]);
  return {
    beginSession: (session) => begin(sessions, session),
    async session(sessionId) {
      const found = await reading(() => sessions.findOne({ _id: sessionId }));
      return found === null ? undefined : sessionOf(found);
    },
    async rotate(sessionId, fromHash, rotation) {
      const from = { _id: sessionId, refreshHash: fromHash };
      return (await writing(() => sessions.updateOne(from, { $set: rotation }))).matchedCount === 1;
    },
    async endSession(sessionId, userId) {
      return (await writing(() => sessions.deleteOne({ _id: sessionId, userId }))).deletedCount === 1;
    },
    async endSessionsOf(userId, exceptSessionId) {
      const those = { userId, ...(exceptSessionId === undefined ? {} : { _id: { $ne: exceptSessionId } }) };
      const ended = await reading(() => sessions.find(those, { projection: { _id: 1 } }).toArray());
      await writing(() => sessions.deleteMany(those));
      return ended.map(({ _id }) => _id);
    },
    async sessionsOf(userId, after, limit) {
      const found = await reading(() =>
        sessions
          .find({ userId, ...(after === undefined ? {} : { $or: behind(after) }) })
          .sort({ lastUsedTime: -1, _id: -1 })
          .limit(limit)
          .toArray(),
      );
      return found.map(sessionOf);
    },
    async liveSessionIds(sessionIds, now) {
      const live = { _id: { $in: [...sessionIds] }, expireTime: { $gt: now } };
      const found = await reading(() => sessions.find(live, { projection: { _id: 1 } }).toArray());
      return found.map(({ _id }) => _id);
    },
  };
}

/** The unique index lets a device have one session, whatever logs in at the same time. */
async function begin(
  sessions: Collection<SessionDocument>,
  { sessionId, ...rest }: Session,
): Promise<readonly string[]> {
  const { userId, deviceId } = rest;
  const replaced: string[] = [];
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    try {
      const had = await reading(() => sessions.findOne({ userId, deviceId }, { projection: { _id: 1 } }));
      if (had !== null && (await writing(() => sessions.deleteOne({ _id: had._id }))).deletedCount > 0) {
        replaced.push(had._id);
      }
      await writing(() => sessions.insertOne({ _id: sessionId, ...rest }));
      return [...replaced, ...(await endLeastUsed(sessions, userId))];
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }
  throw shared.overloaded("too many logins of one device at once");
}

async function endLeastUsed(sessions: Collection<SessionDocument>, userId: string): Promise<readonly string[]> {
  const surplus = await reading(() =>
    sessions
      .find({ userId }, { projection: { _id: 1 } })
      .sort({ lastUsedTime: -1, _id: -1 })
      .skip(MAX_PER_USER)
      .limit(MAX_PER_USER)
      .toArray(),
  );
  const ids = surplus.map(({ _id }) => _id);
  if (ids.length > 0) await writing(() => sessions.deleteMany({ userId, _id: { $in: ids } }));
  return ids;
}

function behind({ lastUsedMs, sessionId }: SessionPlace) {
  const lastUsedTime = new Date(lastUsedMs);
  return [{ lastUsedTime: { $lt: lastUsedTime } }, { lastUsedTime, _id: { $lt: sessionId } }];
}

function sessionOf({ _id, ...rest }: SessionDocument): Session {
  return { sessionId: _id, ...rest };
}
