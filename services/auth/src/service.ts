import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { type AuthService, Platform } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { AuthCore } from "./core.ts";
import type { Session } from "./ports.ts";

/** What clients may call. */
export const authHandlers = (core: AuthCore): Handlers<typeof AuthService> => ({
  register: (request, context) => core.register(request, context),
  login: (request, context) => core.login(request, context),
  async refresh({ refreshToken }) {
    return { tokens: await core.refresh(refreshToken) };
  },
  async logout(_, context) {
    await core.logout(callerOf(context));
    return {};
  },
  async logoutEverywhere(_, context) {
    await core.logoutEverywhere(callerOf(context));
    return {};
  },
  async changePassword(request, context) {
    await core.changePassword(callerOf(context), request, context);
    return {};
  },
  async listSessions(request, context) {
    const caller = callerOf(context);
    const { sessions, nextPageToken } = await core.listSessions(caller, request);
    return { sessions: sessions.map((session) => sessionOf(session, caller.sessionId)), nextPageToken };
  },
  async revokeSession({ sessionId }, context) {
    await core.revokeSession(callerOf(context), sessionId);
    return {};
  },
  getJwks: () => ({ keys: core.keys().map((key) => ({ ...key })) }),
});

/** What other services may call. */
export const authMeshHandlers = (core: AuthCore): Handlers<typeof AuthMeshService> => ({
  async validateToken({ accessToken }) {
    const { userId, sessionId, deviceId } = await core.validateToken(accessToken);
    return { userId, sessionId, deviceId };
  },
  async getSessions({ sessionIds }) {
    return { liveSessionIds: await core.liveSessionIds(sessionIds) };
  },
  getSigningKeys: () => ({ keys: core.keys().map((key) => ({ ...key })) }),
});

function sessionOf(session: Session, currentSessionId: string) {
  const { sessionId, deviceId, deviceName, platform, createTime, lastUsedTime } = session;
  const [, value = Platform.UNSPECIFIED] =
    Object.entries(Platform).find(([name]) => `PLATFORM_${name}` === platform) ?? [];
  return {
    sessionId,
    device: { deviceId, platform: value, name: deviceName },
    createTime: timestampFromDate(createTime),
    lastUsedTime: timestampFromDate(lastUsedTime),
    current: sessionId === currentSessionId,
  };
}
