import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { fakeAuth, loginRequest, origin, registerRequest } from "../support/fakes.ts";

describe("Register", () => {
  it("creates the account, the profile and the first session", async () => {
    const { core, store, profiles } = fakeAuth();
    const { user, tokens } = await core.register(registerRequest("ada"), origin);
    assert.equal(user.username, "ada");
    assert.equal(user.displayName, "ada");
    assert.equal(profiles.users.size, 1);
    assert.equal(store.accountsById.get(user.userId)?.pending, undefined);
    assert.equal(store.sessionsById.get(tokens.sessionId)?.platform, "PLATFORM_IOS");
  });

  it("refuses a taken username before it hashes anything", async () => {
    const { core, passwords } = fakeAuth();
    await core.register(registerRequest("ada"), origin);
    passwords.hashed = 0;
    await refused(core.register(registerRequest("ada"), origin), "USERNAME_TAKEN");
    assert.equal(passwords.hashed, 0);
  });

  it("gives one name to one of fifty at once, and hashes one password", async () => {
    const { core, passwords, store } = fakeAuth();
    const tries = Array.from({ length: 50 }, () => core.register(registerRequest("ada"), origin));
    const outcomes = await Promise.allSettled(tries);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") assert.equal(outcome.reason.reason, "ERROR_REASON_USERNAME_TAKEN");
    }
    assert.equal(passwords.hashed, 1);
    assert.equal(store.accountsById.size, 1);
  });

  it("is finished by a repeat when user was away", async () => {
    const { core, store, profiles } = fakeAuth();
    profiles.away = true;
    const request = { ...registerRequest("ada"), displayName: "Ada L." };
    await refused(core.register(request, origin), "UNAVAILABLE");
    assert.equal(store.sessionsById.size, 0);
    profiles.away = false;
    const { user } = await core.register(request, origin);
    assert.equal(user.displayName, "Ada L.");
    assert.equal(store.accountsById.size, 1);
  });

  it("is not finished by somebody with another password", async () => {
    const { core, profiles } = fakeAuth();
    profiles.away = true;
    await refused(core.register(registerRequest("ada"), origin), "UNAVAILABLE");
    profiles.away = false;
    await refused(core.register({ ...registerRequest("ada"), password: "something else" }, origin), "USERNAME_TAKEN");
  });

  it("is not finished by another device", async () => {
    const { core, profiles } = fakeAuth();
    profiles.away = true;
    await refused(core.register(registerRequest("ada", "phone"), origin), "UNAVAILABLE");
    profiles.away = false;
    await refused(core.register(registerRequest("ada", "laptop"), origin), "USERNAME_TAKEN");
  });

  it("is finished by a login, with the display name asked for", async () => {
    const { core, profiles } = fakeAuth();
    profiles.away = true;
    await refused(core.register({ ...registerRequest("ada"), displayName: "Ada L." }, origin), "UNAVAILABLE");
    profiles.away = false;
    const { user } = await core.login(loginRequest("ada"), origin);
    assert.equal(user.displayName, "Ada L.");
  });

  it("lets a second try go on when the first was refused", async () => {
    const { core, passwords } = fakeAuth();
    passwords.overloaded = true;
    await refused(core.register(registerRequest("ada"), origin), "OVERLOADED");
    passwords.overloaded = false;
    const { user } = await core.register(registerRequest("ada"), origin);
    assert.equal(user.username, "ada");
  });
});
