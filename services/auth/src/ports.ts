import type { User } from "@oceanchat/gen/oceanchat/user/v1/user_pb";

/** Who may log in. */
export interface Account {
  readonly userId: string;
  /** Lower case, unique. */
  readonly username: string;
  /** A PHC string. */
  readonly passwordHash: string;
  readonly createTime: Date;
  /** What the profile shall show and which device registered, until user has created the profile: a crash is finished with it. */
  readonly pending?: { readonly displayName: string; readonly deviceId: string };
}

/** A login on a device. */
export interface Session {
  readonly sessionId: string;
  readonly userId: string;
  readonly deviceId: string;
  /** The name of a `Platform` value. */
  readonly platform: string;
  readonly deviceName: string;
  /** The number of the refresh token that is good now, from 1. */
  readonly generation: number;
  /** SHA-256 of that token. */
  readonly refreshHash: string;
  /** SHA-256 of the token before; empty for the first. */
  readonly previousRefreshHash: string;
  /** Until when the token before gives the same successor again. */
  readonly previousValidUntil: Date;
  readonly createTime: Date;
  readonly lastUsedTime: Date;
  readonly expireTime: Date;
}

/** What changes when a refresh token is used. */
export type Rotation = Pick<
  Session,
  "generation" | "refreshHash" | "previousRefreshHash" | "previousValidUntil" | "lastUsedTime" | "expireTime"
>;

export interface AccountStore {
  /** False when the username is taken. */
  createAccount(account: Account): Promise<boolean>;
  accountByUsername(username: string): Promise<Account | undefined>;
  accountById(userId: string): Promise<Account | undefined>;
  /** False when the hash isn't `from` (any more). */
  replacePasswordHash(userId: string, from: string, to: string): Promise<boolean>;
  /** Forgets `pending`. */
  profileCreated(userId: string): Promise<void>;
}

export interface SessionStore {
  /** Stores a session in the place of the one that its device had, and ends the least used beyond 100 of a user. Gives those that ended. */
  beginSession(session: Session): Promise<readonly string[]>;
  /** Also one that has expired but isn't removed yet. */
  session(sessionId: string): Promise<Session | undefined>;
  /** False when `fromHash` isn't the session's current one (any more). */
  rotate(sessionId: string, fromHash: string, rotation: Rotation): Promise<boolean>;
  /** False when the user has no such session. */
  endSession(sessionId: string, userId: string): Promise<boolean>;
  /** Gives those that ended. */
  endSessionsOf(userId: string, exceptSessionId?: string): Promise<readonly string[]>;
  /** The most recently used first. */
  sessionsOf(userId: string, after: SessionPlace | undefined, limit: number): Promise<Session[]>;
  /** Those that are there and don't expire before `now`. */
  liveSessionIds(sessionIds: readonly string[], now: Date): Promise<string[]>;
}

/** Whoever has to hear that sessions end. */
export interface SessionEnds {
  /** Sessions of the user have ended, or may have. Returns at once and never throws. */
  ended(userId: string): void;
}

/** A user's own log, which his devices read. */
export interface Notices {
  /** These sessions have ended. Returns at once and never throws. */
  revoked(userId: string, sessionIds: readonly string[]): void;
}

/** A user's connection, as presence knows it. */
export interface OpenConnection {
  readonly sessionId: string;
  /** Where its gateway's mesh door is. */
  readonly address: string;
}

export interface Connections {
  /** A user's connections to all gateways that live. */
  of(userId: string): Promise<readonly OpenConnection[]>;
  /** Has a gateway close the connections of sessions that are over; gives how many it had. */
  close(address: string, sessionIds: readonly string[]): Promise<number>;
}

/** A place in the list of a user's sessions. */
export interface SessionPlace {
  readonly lastUsedMs: number;
  readonly sessionId: string;
}

export interface PasswordHasher {
  /** A PHC string. Rejects with OVERLOADED when too many wait. */
  hash(password: string): Promise<string>;
  /** Without a hash it takes as long as with one and answers `wrong`. `outdated` is right, by weaker parameters than today's. */
  verify(password: string, hash: string | undefined): Promise<"right" | "wrong" | "outdated">;
}

/** A public key as RFC 7517 writes it. */
export interface PublicKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: string;
  readonly use: string;
}

export interface TokenSigner {
  /** The keys that tokens may be signed with now or soon. */
  readonly keys: readonly PublicKey[];
  /** Signs an access token of a session. */
  sign(session: Session, nowMs: number): { readonly token: string; readonly expireMs: number };
}

/** What is known of the call that a command came with. */
export interface Origin {
  readonly remoteAddress: string;
  readonly traceparent: string;
  readonly requestId: string;
}

export interface Profiles {
  /** The account's profile; created when it isn't there yet. */
  ensure(
    profile: { readonly userId: string; readonly username: string; readonly displayName: string },
    origin: Origin,
  ): Promise<User>;
}
