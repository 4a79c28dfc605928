import { create } from "@bufbuild/protobuf";
import {
  type LoginRequest,
  LoginRequestSchema,
  Platform,
  type RegisterRequest,
  RegisterRequestSchema,
} from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { type User, UserSchema } from "@oceanchat/gen/oceanchat/user/v1/user_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Caller } from "@oceanchat/runtime/handlers";
import { createAuthCore } from "../../src/core.ts";
import type {
  Account,
  AccountStore,
  Origin,
  PasswordHasher,
  Profiles,
  Session,
  SessionStore,
  TokenSigner,
} from "../../src/ports.ts";

/** Accounts and sessions in memory, with the guarantees of the real store. */
export class MemoryStore implements AccountStore, SessionStore {
  readonly accountsById = new Map<string, Account>();
  readonly sessionsById = new Map<string, Session>();

  async createAccount(account: Account): Promise<boolean> {
    if ([...this.accountsById.values()].some(({ username }) => username === account.username)) return false;
    this.accountsById.set(account.userId, account);
    return true;
  }
  async accountByUsername(username: string): Promise<Account | undefined> {
    return [...this.accountsById.values()].find((account) => account.username === username);
  }
  async accountById(userId: string): Promise<Account | undefined> {
    return this.accountsById.get(userId);
  }
  async replacePasswordHash(userId: string, from: string, to: string): Promise<boolean> {
    const account = this.accountsById.get(userId);
    if (account?.passwordHash !== from) return false;
    this.accountsById.set(userId, { ...account, passwordHash: to });
    return true;
  }
  async profileCreated(userId: string): Promise<void> {
    const account = this.accountsById.get(userId);
    if (account === undefined) return;
    const { pending: _, ...rest } = account;
    this.accountsById.set(userId, rest);
  }
  async beginSession(session: Session): Promise<readonly string[]> {
    const ended: string[] = [];
    for (const { sessionId, userId, deviceId } of this.sessionsById.values()) {
      if (userId === session.userId && deviceId === session.deviceId && this.sessionsById.delete(sessionId)) {
        ended.push(sessionId);
      }
    }
    this.sessionsById.set(session.sessionId, session);
    return ended;
  }
  async session(sessionId: string): Promise<Session | undefined> {
    return this.sessionsById.get(sessionId);
  }
  async rotate(sessionId: string, fromHash: string, rotation: Partial<Session>): Promise<boolean> {
    const session = this.sessionsById.get(sessionId);
    if (session?.refreshHash !== fromHash) return false;
    this.sessionsById.set(sessionId, { ...session, ...rotation });
    return true;
  }
  async endSession(sessionId: string, userId: string): Promise<boolean> {
    return this.sessionsById.get(sessionId)?.userId === userId && this.sessionsById.delete(sessionId);
  }
  async endSessionsOf(userId: string, exceptSessionId?: string): Promise<readonly string[]> {
    const ended: string[] = [];
    for (const session of this.sessionsById.values()) {
      if (session.userId === userId && session.sessionId !== exceptSessionId) {
        this.sessionsById.delete(session.sessionId);
        ended.push(session.sessionId);
      }
    }
    return ended;
  }
  async sessionsOf(userId: string): Promise<Session[]> {
    return [...this.sessionsById.values()].filter((session) => session.userId === userId);
  }
  async liveSessionIds(sessionIds: readonly string[], now: Date): Promise<string[]> {
    return sessionIds.filter((id) => (this.sessionsById.get(id)?.expireTime ?? new Date(0)) > now);
  }
}

/** Hashes nothing and counts everything. */
export class FakeHasher implements PasswordHasher {
  readonly verified: (string | undefined)[] = [];
  hashed = 0;
  overloaded = false;

  async hash(password: string): Promise<string> {
    this.hashed++;
    if (this.overloaded) throw shared.overloaded("full");
    return `today:${password}`;
  }
  async verify(password: string, hash: string | undefined): Promise<"right" | "wrong" | "outdated"> {
    this.verified.push(hash);
    if (this.overloaded) throw shared.overloaded("full");
    if (hash === `today:${password}`) return "right";
    return hash === `old:${password}` ? "outdated" : "wrong";
  }
}

/** Profiles in memory; away while `away` is true. */
export class FakeProfiles implements Profiles {
  readonly users = new Map<string, User>();
  away = false;

  async ensure(profile: { userId: string; username: string; displayName: string }): Promise<User> {
    if (this.away) throw shared.unavailable("user cannot be reached");
    const known = this.users.get(profile.userId) ?? create(UserSchema, profile);
    this.users.set(profile.userId, known);
    return known;
  }
}

const signer: TokenSigner = {
  keys: [],
  sign: ({ sessionId }, nowMs) => ({ token: `${sessionId}@${nowMs}`, expireMs: nowMs + 600_000 }),
};

export const origin: Origin = { remoteAddress: "192.0.2.1", traceparent: "", requestId: "r" };

/** The core on fakes; `clock.ms` is the time. */
export function fakeAuth(limits: { readonly loginFailuresPerMinute?: number } = {}) {
  const store = new MemoryStore();
  const passwords = new FakeHasher();
  const profiles = new FakeProfiles();
  /** Users of whom it was told that sessions have ended. */
  const ended: string[] = [];
  /** The sessions that a user's log was told of. */
  const revoked: string[] = [];
  const clock = { ms: 1_000_000 };
  let ids = 0;
  const core = createAuthCore(
    {
      accounts: store,
      sessions: store,
      ends: { ended: (userId) => void ended.push(userId) },
      notices: { revoked: (userId, sessionIds) => void revoked.push(...sessionIds.map((id) => `${userId} ${id}`)) },
      passwords,
      profiles,
      signer,
      verify: async () => {
        throw shared.tokenInvalid("not here");
      },
      now: () => clock.ms,
      newId: () => `00000000-0000-7000-8000-${String(++ids).padStart(12, "0")}`,
    },
    {
      sessionTtlSeconds: 3_600,
      refreshGraceSeconds: 20,
      loginFailuresPerMinute: limits.loginFailuresPerMinute ?? 10,
      refreshSecret: new Uint8Array(32).fill(7),
    },
  );
  return { core, store, passwords, profiles, clock, ended, revoked };
}

export function registerRequest(username: string, deviceId = "phone"): RegisterRequest {
  return create(RegisterRequestSchema, { ...credentials(username, deviceId), displayName: "" });
}

export function loginRequest(username: string, password = "correct horse", deviceId = "phone"): LoginRequest {
  return create(LoginRequestSchema, { ...credentials(username, deviceId), password });
}

function credentials(username: string, deviceId: string) {
  return { username, password: "correct horse", device: { deviceId, platform: Platform.IOS, name: "iPhone" } };
}

/** The caller that a session's access token would prove. */
export function callerFor(store: MemoryStore, sessionId: string): Caller {
  const session = store.sessionsById.get(sessionId);
  if (session === undefined) throw new Error("no such session");
  const { userId, deviceId, platform } = session;
  return { userId, sessionId, deviceId, platform };
}
