import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Device, PlatformSchema, type Tokens } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Caller } from "@oceanchat/runtime/handlers";
import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import { errors } from "../errors.ts";
import type { Session, SessionPlace } from "../ports.ts";
import type { AuthContext } from "./context.ts";
import { ending, endOne } from "./ends.ts";
import { equal, hashOf, isGenuine, mintRefreshToken, parseRefreshToken } from "./refresh-tokens.ts";

/** Begins a session in the place of the one that the device had. */
export async function beginSession(
  context: AuthContext,
  userId: string,
  device: Device,
): Promise<Omit<Tokens, "$typeName">> {
  const { sessions, refreshSecret, now, newId } = context;
  const nowMs = now();
  const sessionId = newId();
  const refreshToken = mintRefreshToken(refreshSecret, sessionId, 1);
  const session: Session = {
    sessionId,
    userId,
    deviceId: device.deviceId,
    platform: PlatformSchema.value[device.platform]?.name ?? "",
    deviceName: device.name,
    generation: 1,
    refreshHash: hashOf(refreshToken),
    previousRefreshHash: "",
    previousValidUntil: new Date(0),
    createTime: new Date(nowMs),
    lastUsedTime: new Date(nowMs),
    expireTime: new Date(nowMs + context.sessionTtlSeconds * 1000),
  };
  let othersEnded = true; // or may have, when it fails
  try {
    const ended = await sessions.beginSession(session);
    othersEnded = ended.length > 0;
    context.notices.revoked(userId, ended);
  } finally {
    if (othersEnded) context.ends.ended(userId);
  }
  return tokensOf(context, session, refreshToken);
}

/** Exchanges a refresh token for its successor. A token that was used up before ends the session: somebody stole it. */
export async function refresh(context: AuthContext, text: string): Promise<Omit<Tokens, "$typeName">> {
  const { sessions, refreshSecret } = context;
  const token = parseRefreshToken(text);
  if (token === undefined) throw errors.refreshTokenInvalid();
  const presented = hashOf(text);
  let session = await knownSession(context, token.sessionId);
  if (equal(presented, session.refreshHash)) {
    const successor = await rotate(context, session);
    if (successor !== undefined) return tokensOf(context, session, successor);
    session = await knownSession(context, token.sessionId); // the same token was quicker on another way
  }
  if (equal(presented, session.previousRefreshHash) && context.now() <= session.previousValidUntil.getTime()) {
    const successor = mintRefreshToken(refreshSecret, session.sessionId, session.generation);
    // Not equal only when the secret has changed in between: then nobody can name the successor.
    if (!equal(hashOf(successor), session.refreshHash)) throw errors.refreshTokenInvalid();
    return tokensOf(context, session, successor);
  }
  if (equal(presented, session.previousRefreshHash) || isGenuine(refreshSecret, token)) {
    const { sessionId, userId } = session;
    await ending(context, userId, () => endOne(sessions, sessionId, userId));
  }
  throw errors.refreshTokenInvalid();
}

async function rotate(context: AuthContext, session: Session): Promise<string | undefined> {
  const nowMs = context.now();
  const generation = session.generation + 1;
  const successor = mintRefreshToken(context.refreshSecret, session.sessionId, generation);
  const rotated = await context.sessions.rotate(session.sessionId, session.refreshHash, {
    generation,
    refreshHash: hashOf(successor),
    previousRefreshHash: session.refreshHash,
    previousValidUntil: new Date(nowMs + context.refreshGraceSeconds * 1000),
    lastUsedTime: new Date(nowMs),
    expireTime: new Date(nowMs + context.sessionTtlSeconds * 1000),
  });
  return rotated ? successor : undefined;
}

async function knownSession({ sessions, now }: AuthContext, sessionId: string): Promise<Session> {
  const session = await sessions.session(sessionId);
  if (session === undefined || session.expireTime.getTime() <= now()) throw errors.refreshTokenInvalid();
  return session;
}

function tokensOf({ signer, now }: AuthContext, session: Session, refreshToken: string): Omit<Tokens, "$typeName"> {
  const { token, expireMs } = signer.sign(session, now());
  return { accessToken: token, refreshToken, expireTime: timestampFromMs(expireMs), sessionId: session.sessionId };
}

/** The caller's session. A good token of an ended session is SESSION_REVOKED. */
export async function liveSession({ sessions, now }: AuthContext, caller: Caller): Promise<Session> {
  const session = await sessions.session(caller.sessionId);
  if (session?.userId !== caller.userId || session.expireTime.getTime() <= now()) throw shared.sessionRevoked();
  return session;
}

/** Whose token it is, when its session lives. */
export async function validateToken(context: AuthContext, token: string): Promise<Caller> {
  const { caller } = await context.verify(token);
  await liveSession(context, caller);
  return caller;
}

/** A page of the caller's sessions. */
export async function listSessions(
  context: AuthContext,
  caller: Caller,
  page: { readonly pageSize: number; readonly pageToken: string },
): Promise<{ sessions: Session[]; nextPageToken: string }> {
  await liveSession(context, caller);
  const limit = pageSizeOf(page.pageSize);
  const after = decodePageToken(page.pageToken, placeOf);
  const found = await context.sessions.sessionsOf(caller.userId, after, limit + 1);
  const sessions = found.slice(0, limit);
  const last = sessions.at(-1);
  if (last === undefined || found.length <= limit) return { sessions, nextPageToken: "" };
  const place: SessionPlace = { lastUsedMs: last.lastUsedTime.getTime(), sessionId: last.sessionId };
  return { sessions, nextPageToken: encodePageToken(place) };
}

function placeOf(value: Readonly<Record<string, unknown>>): SessionPlace | undefined {
  const { lastUsedMs, sessionId } = value;
  if (typeof lastUsedMs !== "number" || !Number.isSafeInteger(lastUsedMs)) return undefined;
  return typeof sessionId === "string" ? { lastUsedMs, sessionId } : undefined;
}

/** Ends one of the caller's sessions. */
export async function revokeSession(context: AuthContext, caller: Caller, sessionId: string): Promise<void> {
  await liveSession(context, caller);
  const { userId } = caller;
  const ended = await ending(context, userId, () => endOne(context.sessions, sessionId, userId));
  if (ended.length === 0) throw errors.sessionNotFound();
}
