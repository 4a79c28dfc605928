import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { refused } from "@oceanchat/runtime/testing";
import { closeEnded } from "../../src/core/ends.ts";
import type { OpenConnection } from "../../src/ports.ts";
import { callerFor, fakeAuth, loginRequest, origin, registerRequest } from "../support/fakes.ts";

async function loggedIn() {
  const auth = fakeAuth();
  const { user, tokens } = await auth.core.register(registerRequest("ada", "phone"), origin);
  const laptop = await auth.core.login(loginRequest("ada", "correct horse", "laptop"), origin);
  assert.deepEqual(auth.ended, [], "nothing ends by a first session or by one on another device");
  return { ...auth, user, tokens, laptop: laptop.tokens, caller: callerFor(auth.store, tokens.sessionId) };
}
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

describe("that sessions end is told", () => {
  /** What ends sessions, and which of them. */
  const ways: readonly (readonly [string, (auth: LoggedIn) => Promise<unknown>, readonly ("phone" | "laptop")[]])[] = [
    ["Logout", ({ core, caller }) => core.logout(caller), ["phone"]],
    ["LogoutEverywhere", ({ core, caller }) => core.logoutEverywhere(caller), ["phone", "laptop"]],
    ["RevokeSession", ({ core, caller, laptop }) => core.revokeSession(caller, laptop.sessionId), ["laptop"]],
    [
      "ChangePassword",
      ({ core, caller }) =>
        core.changePassword(caller, { currentPassword: "correct horse", newPassword: "battery staple" }, origin),
      ["laptop"],
    ],
    ["a login of the same device", ({ core }) => core.login(loginRequest("ada"), origin), ["phone"]],
    [
      "a refresh token that comes again",
      async ({ core, tokens }) => {
        const { refreshToken } = await core.refresh(tokens.refreshToken);
        await core.refresh(refreshToken);
        await refused(core.refresh(tokens.refreshToken), "REFRESH_TOKEN_INVALID");
      },
      ["phone"],
    ],
  ];
  for (const [way, end, devices] of ways) {
    it(`by ${way}`, async () => {
      const auth = await loggedIn();
      await end(auth);
      assert.deepEqual(auth.ended, [auth.user.userId]);
      const ids = { phone: auth.tokens.sessionId, laptop: auth.laptop.sessionId };
      assert.deepEqual(
        auth.revoked,
        devices.map((device) => `${auth.user.userId} ${ids[device]}`),
      );
    });
  }

  it("by nothing that was ended before", async () => {
    const auth = await loggedIn();
    await auth.core.logout(auth.caller);
    await auth.core.logout(auth.caller);
    assert.equal(auth.revoked.length, 1);
  });

  it("also when it is unknown whether the store has ended them", async () => {
    const { core, store, caller, ended } = await loggedIn();
    const unknown = () => Promise.reject(shared.outcomeUnknown("no answer"));
    Object.assign(store, { endSession: unknown, endSessionsOf: unknown, beginSession: unknown });
    await refused(core.logout(caller), "OUTCOME_UNKNOWN");
    await refused(core.logoutEverywhere(caller), "OUTCOME_UNKNOWN");
    await refused(core.login(loginRequest("ada"), origin), "OUTCOME_UNKNOWN");
    assert.equal(ended.length, 3);
  });
});

describe("closeEnded", () => {
  const at = (sessionId: string, address: string): OpenConnection => ({ sessionId, address });

  async function close(open: readonly OpenConnection[], live: readonly string[], away = "nobody") {
    const asked: (readonly string[])[] = [];
    const closed: (readonly [string, ...string[]])[] = [];
    const { store, clock } = fakeAuth();
    const sessions = Object.assign(store, {
      liveSessionIds: async (ids: readonly string[]) => {
        asked.push(ids);
        return ids.filter((id) => live.includes(id));
      },
    });
    const connections = {
      of: async () => open,
      async close(address: string, sessionIds: readonly string[]) {
        if (address === away) throw shared.unavailable("away");
        closed.push([address, ...sessionIds]);
        return sessionIds.length;
      },
    };
    const count = closeEnded({ connections, sessions, now: () => clock.ms }, "ada");
    return { asked, closed, count };
  }

  it("closes what is connected and lives no more, at each gateway", async () => {
    const open = [at("a", "g1"), at("b", "g1"), at("b", "g1"), at("c", "g2"), at("b", "g2"), at("d", "g3")];
    const { asked, closed, count } = await close(open, ["a", "d"]);
    assert.equal(await count, 3);
    assert.deepEqual(asked, [["a", "b", "c", "d"]]);
    assert.deepEqual(closed, [
      ["g1", "b"],
      ["g2", "c", "b"],
    ]);
  });

  it("asks no store and no gateway when nothing is connected", async () => {
    const { asked, closed, count } = await close([], []);
    assert.equal(await count, 0);
    assert.deepEqual([asked, closed], [[], []]);
  });

  it("closes at the others when a gateway is away, and fails then", async () => {
    const { closed, count } = await close([at("a", "g1"), at("a", "g2"), at("a", "g3")], [], "g2");
    await refused(count, "UNAVAILABLE");
    assert.deepEqual(closed, [
      ["g1", "a"],
      ["g3", "a"],
    ]);
  });
});
