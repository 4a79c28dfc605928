import type { LoginRequest, RegisterRequest } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Caller } from "@oceanchat/runtime/handlers";
import { changePassword, login, register } from "./core/accounts.ts";
import type { AuthContext, AuthLimits, AuthPorts } from "./core/context.ts";
import { ending, endOne } from "./core/ends.ts";
import { listSessions, refresh, revokeSession, validateToken } from "./core/sessions.ts";
import { LoginThrottle } from "./core/throttle.ts";
import { Turns } from "./core/turns.ts";
import type { Origin } from "./ports.ts";

/** Registrations of a name that is being registered already, that wait for it; of all names together. */
const MAX_WAITING_REGISTRATIONS = 1_000;
const MAX_SESSION_IDS = 1_000;

/** The rules of accounts and sessions. */
export type AuthCore = ReturnType<typeof createAuthCore>;

/** Binds the rules to what they work with. */
export function createAuthCore(ports: AuthPorts, limits: AuthLimits) {
  const context: AuthContext = {
    ...ports,
    ...limits,
    throttle: new LoginThrottle(limits.loginFailuresPerMinute, ports.now),
    registrations: new Turns(MAX_WAITING_REGISTRATIONS),
  };
  const { sessions, signer } = ports;
  return {
    keys: () => signer.keys,
    register: (request: RegisterRequest, origin: Origin) => register(context, request, origin),
    login: (request: LoginRequest, origin: Origin) => login(context, request, origin),
    refresh: (refreshToken: string) => refresh(context, refreshToken),
    logout: async ({ sessionId, userId }: Caller) =>
      void (await ending(context, userId, () => endOne(sessions, sessionId, userId))),
    logoutEverywhere: async ({ userId }: Caller) =>
      void (await ending(context, userId, () => sessions.endSessionsOf(userId))),
    changePassword: (caller: Caller, passwords: Parameters<typeof changePassword>[2], origin: Origin) =>
      changePassword(context, caller, passwords, origin),
    listSessions: (caller: Caller, page: Parameters<typeof listSessions>[2]) => listSessions(context, caller, page),
    revokeSession: (caller: Caller, sessionId: string) => revokeSession(context, caller, sessionId),
    validateToken: (token: string) => validateToken(context, token),
    liveSessionIds: async (sessionIds: readonly string[]) => {
      if (sessionIds.length > MAX_SESSION_IDS) {
        throw shared.invalidFields([{ field: "session_ids", description: `at most ${MAX_SESSION_IDS}` }]);
      }
      return sessions.liveSessionIds(sessionIds, new Date(ports.now()));
    },
  };
}
