import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { callerFor, fakeAuth, loginRequest, origin, registerRequest } from "../support/fakes.ts";

describe("Login", () => {
  it("answers the account's profile and a session", async () => {
    const { core } = fakeAuth();
    const { user } = await core.register(registerRequest("ada"), origin);
    const answer = await core.login(loginRequest("ADA", "correct horse", "laptop"), origin);
    assert.equal(answer.user.userId, user.userId);
    assert.match(answer.tokens.refreshToken, /^[0-9a-f-]{36}\.1\./);
  });

  it("replaces the session that the device had, and no other", async () => {
    const { core, store } = fakeAuth();
    const first = await core.register(registerRequest("ada", "phone"), origin);
    const second = await core.login(loginRequest("ada", "correct horse", "laptop"), origin);
    const third = await core.login(loginRequest("ada", "correct horse", "phone"), origin);
    assert.deepEqual([...store.sessionsById.keys()], [second.tokens.sessionId, third.tokens.sessionId]);
    await refused(core.refresh(first.tokens.refreshToken), "REFRESH_TOKEN_INVALID");
  });

  it("answers an unknown user and a wrong password alike, and hashes for both", async () => {
    const { core, passwords } = fakeAuth();
    await core.register(registerRequest("ada"), origin);
    const wrong = await refused(core.login(loginRequest("ada", "wrong"), origin), "INVALID_CREDENTIALS");
    const unknown = await refused(core.login(loginRequest("bob", "wrong"), origin), "INVALID_CREDENTIALS");
    assert.equal(wrong.message, unknown.message);
    assert.deepEqual(passwords.verified, ["today:correct horse", undefined]);
  });

  it("hashes anew what was hashed by weaker parameters", async () => {
    const { core, store } = fakeAuth();
    const { user } = await core.register(registerRequest("ada"), origin);
    await store.replacePasswordHash(user.userId, "today:correct horse", "old:correct horse");
    await core.login(loginRequest("ada"), origin);
    assert.equal(store.accountsById.get(user.userId)?.passwordHash, "today:correct horse");
  });

  it("is limited after ten failures in a minute, for known and unknown users alike", async () => {
    for (const username of ["ada", "bob"]) {
      const { core, clock, passwords } = fakeAuth();
      await core.register(registerRequest("ada"), origin);
      for (let i = 0; i < 10; i++) {
        await refused(core.login(loginRequest(username, "wrong"), origin), "INVALID_CREDENTIALS");
      }
      const limited = await refused(core.login(loginRequest(username), origin), "RATE_LIMITED");
      assert.equal(limited.retryAfterMs, 6_000);
      assert.equal(passwords.verified.length, 10);
      clock.ms += 6_000;
      await refused(core.login(loginRequest(username, "wrong"), origin), "INVALID_CREDENTIALS");
    }
  });

  it("does not count what succeeds or what wasn't tried", async () => {
    const { core, passwords } = fakeAuth({ loginFailuresPerMinute: 2 });
    await core.register(registerRequest("ada"), origin);
    for (let i = 0; i < 5; i++) await core.login(loginRequest("ada"), origin);
    passwords.overloaded = true;
    for (let i = 0; i < 5; i++) await refused(core.login(loginRequest("ada"), origin), "OVERLOADED");
  });

  it("lets the owner in from elsewhere while somebody guesses", async () => {
    const { core } = fakeAuth();
    await core.register(registerRequest("ada"), origin);
    const attacker = { ...origin, remoteAddress: "198.51.100.7" };
    for (let i = 0; i < 11; i++) await core.login(loginRequest("ada", "wrong"), attacker).catch(() => undefined);
    await refused(core.login(loginRequest("ada"), attacker), "RATE_LIMITED");
    await core.login(loginRequest("ada"), origin);
  });
});

describe("ChangePassword", () => {
  it("replaces the password and ends the other sessions", async () => {
    const { core, store } = fakeAuth();
    const phone = await core.register(registerRequest("ada", "phone"), origin);
    await core.login(loginRequest("ada", "correct horse", "laptop"), origin);
    const caller = callerFor(store, phone.tokens.sessionId);
    await core.changePassword(caller, { currentPassword: "correct horse", newPassword: "battery staple" }, origin);
    assert.deepEqual([...store.sessionsById.keys()], [phone.tokens.sessionId]);
    await refused(core.login(loginRequest("ada"), origin), "INVALID_CREDENTIALS");
    await core.login(loginRequest("ada", "battery staple"), origin);
  });

  it("asks for the current password", async () => {
    const { core, store } = fakeAuth();
    const { tokens } = await core.register(registerRequest("ada"), origin);
    const change = { currentPassword: "wrong", newPassword: "battery staple" };
    await refused(core.changePassword(callerFor(store, tokens.sessionId), change, origin), "INVALID_CREDENTIALS");
  });

  it("refuses the token of a session that has ended", async () => {
    const { core, store } = fakeAuth();
    const { tokens } = await core.register(registerRequest("ada"), origin);
    const caller = callerFor(store, tokens.sessionId);
    await core.logout(caller);
    const change = { currentPassword: "correct horse", newPassword: "battery staple" };
    await refused(core.changePassword(caller, change, origin), "SESSION_REVOKED");
  });
});
