import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { mintRefreshToken } from "../../src/core/refresh-tokens.ts";
import { callerFor, fakeAuth, loginRequest, origin, registerRequest } from "../support/fakes.ts";

async function loggedIn() {
  const auth = fakeAuth();
  const { tokens } = await auth.core.register(registerRequest("ada"), origin);
  return { ...auth, tokens };
}

describe("Refresh", () => {
  it("gives a new token each time, of the same session", async () => {
    const { core, tokens } = await loggedIn();
    const second = await core.refresh(tokens.refreshToken);
    const third = await core.refresh(second.refreshToken);
    assert.equal(new Set([tokens, second, third].map(({ refreshToken }) => refreshToken)).size, 3);
    assert.equal(third.sessionId, tokens.sessionId);
  });

  it("gives the same successor for 20 seconds", async () => {
    const { core, tokens, clock } = await loggedIn();
    const first = await core.refresh(tokens.refreshToken);
    clock.ms += 20_000;
    const repeated = await core.refresh(tokens.refreshToken);
    assert.equal(repeated.refreshToken, first.refreshToken);
    assert.equal((await core.refresh(first.refreshToken)).sessionId, tokens.sessionId);
  });

  it("ends the session when a used token comes again later", async () => {
    const { core, tokens, clock, store } = await loggedIn();
    const { refreshToken } = await core.refresh(tokens.refreshToken);
    clock.ms += 20_001;
    await refused(core.refresh(tokens.refreshToken), "REFRESH_TOKEN_INVALID");
    assert.equal(store.sessionsById.size, 0);
    await refused(core.refresh(refreshToken), "REFRESH_TOKEN_INVALID");
  });

  it("ends the session when a token comes again that was retired long ago", async () => {
    const { core, tokens, store } = await loggedIn();
    const second = await core.refresh(tokens.refreshToken);
    await core.refresh(second.refreshToken);
    await refused(core.refresh(tokens.refreshToken), "REFRESH_TOKEN_INVALID");
    assert.equal(store.sessionsById.size, 0);
  });

  it("gives two at once one successor", async () => {
    const { core, tokens } = await loggedIn();
    const answers = await Promise.all(Array.from({ length: 8 }, () => core.refresh(tokens.refreshToken)));
    assert.equal(new Set(answers.map(({ refreshToken }) => refreshToken)).size, 1);
  });

  it("doesn't end a session for a token that was invented", async () => {
    const { core, tokens, store } = await loggedIn();
    const forged = mintRefreshToken(new Uint8Array(32), tokens.sessionId, 1);
    await refused(core.refresh(forged), "REFRESH_TOKEN_INVALID");
    await refused(core.refresh(tokens.accessToken), "REFRESH_TOKEN_INVALID");
    await refused(core.refresh(`${tokens.sessionId}.1.${"A".repeat(43)}`), "REFRESH_TOKEN_INVALID");
    assert.equal(store.sessionsById.size, 1);
  });

  it("refuses a session that has expired, also before the store has removed it", async () => {
    const { core, tokens, clock } = await loggedIn();
    clock.ms += 3_600_000;
    await refused(core.refresh(tokens.refreshToken), "REFRESH_TOKEN_INVALID");
  });

  it("keeps a session alive that is used", async () => {
    const { core, tokens, clock } = await loggedIn();
    clock.ms += 3_000_000;
    const { refreshToken } = await core.refresh(tokens.refreshToken);
    clock.ms += 3_000_000;
    await core.refresh(refreshToken);
  });

  it("stores no token", async () => {
    const { tokens, store } = await loggedIn();
    assert.ok(!JSON.stringify([...store.sessionsById.values()]).includes(tokens.refreshToken.slice(-43)));
  });
});

describe("sessions", () => {
  it("Logout ends the caller's session and may be repeated", async () => {
    const { core, tokens, store } = await loggedIn();
    const caller = callerFor(store, tokens.sessionId);
    await core.logout(caller);
    await core.logout(caller);
    await refused(core.refresh(tokens.refreshToken), "REFRESH_TOKEN_INVALID");
  });

  it("LogoutEverywhere ends all sessions of the caller and of nobody else", async () => {
    const { core, tokens, store } = await loggedIn();
    await core.login(loginRequest("ada", "correct horse", "laptop"), origin);
    const other = await core.register(registerRequest("bob"), origin);
    await core.logoutEverywhere(callerFor(store, tokens.sessionId));
    assert.deepEqual([...store.sessionsById.keys()], [other.tokens.sessionId]);
  });

  it("RevokeSession ends a session of the caller's own only", async () => {
    const { core, tokens, store } = await loggedIn();
    const other = await core.register(registerRequest("bob"), origin);
    const caller = callerFor(store, tokens.sessionId);
    await refused(core.revokeSession(caller, other.tokens.sessionId), "SESSION_NOT_FOUND");
    const laptop = await core.login(loginRequest("ada", "correct horse", "laptop"), origin);
    await core.revokeSession(caller, laptop.tokens.sessionId);
    assert.equal(store.sessionsById.has(laptop.tokens.sessionId), false);
  });

  it("GetSessions names those that live, and takes at most 1000", async () => {
    const { core, tokens } = await loggedIn();
    assert.deepEqual(await core.liveSessionIds([tokens.sessionId, "gone"]), [tokens.sessionId]);
    await refused(core.liveSessionIds(new Array<string>(1_001).fill("x")), "INVALID_FIELD");
  });
});
