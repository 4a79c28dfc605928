import assert from "node:assert/strict";
import { connect } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Platform } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { answers } from "@oceanchat/runtime/testing-public";
import { v7 } from "uuid";
import { openFakeUser, type RunningAuth, startAuth } from "../support/running.ts";

const phone = { deviceId: "phone", platform: Platform.IOS, name: "iPhone" };
const password = "correct horse";
const DOMAIN = "auth.oceanchat";
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error) => ConnectError.from(error).code,
  );

describe("auth", () => {
  let servers: TestServers;
  let user: MeshDoor & { readonly profiles: Map<string, string> };
  const running: RunningAuth[] = [];
  let one: RunningAuth;
  let other: RunningAuth;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    user = await openFakeUser();
    const { mongodbUrl } = servers;
    const options = { mongodbUrl, database: "auth", userPort: user.port };
    // At once, as instances of a new installation start; whatever started is stopped, also when the other failed.
    const starting = [startAuth(options), startAuth(options)] as const;
    for (const outcome of await Promise.allSettled(starting)) {
      if (outcome.status === "fulfilled") running.push(outcome.value);
    }
    [one, other] = await Promise.all(starting);
  });
  after(async function () {
    this.timeout(60_000);
    await Promise.all(running.map((auth) => auth.stop()));
    await user?.close(0);
    await servers?.stop();
  });

  it("registers, and the token is good at the other instance", async () => {
    const { user: profile, tokens } = await one.as().register({ username: "ada", password, device: phone });
    assert.equal(profile?.displayName, "ada");
    const { sessions } = await other.as(tokens?.accessToken).listSessions({});
    assert.deepEqual(
      sessions.map(({ sessionId, device, current }) => [sessionId, device?.platform, current]),
      [[tokens?.sessionId, Platform.IOS, true]],
    );
    const validated = await other.mesh.validateToken({ accessToken: tokens?.accessToken ?? "" });
    assert.deepEqual([validated.userId, validated.deviceId], [profile?.userId, "phone"]);
  });

  it("gives a username to one of fifty, at two instances", async () => {
    const register = (auth: RunningAuth, deviceId: string) =>
      auth.as().register({ username: "grace", password, device: { ...phone, deviceId } });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => register(i % 2 === 0 ? one : other, `phone-${i}`)),
    );
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        await answers(Promise.reject(outcome.reason), Code.AlreadyExists, "USERNAME_TAKEN", DOMAIN);
      }
    }
  });

  it("refuses a wrong password and an unknown user alike", async () => {
    await one.as().register({ username: "joan", password, device: phone });
    for (const username of ["joan", "nobody"]) {
      const call = one.as().login({ username, password: "wrong", device: phone });
      await answers(call, Code.Unauthenticated, "INVALID_CREDENTIALS", DOMAIN);
    }
  });

  it("limits failed logins and says when to try again", async function () {
    this.timeout(60_000);
    const since = performance.now();
    const guess = () => one.as().login({ username: "mallory", password: "wrong", device: phone });
    for (let i = 0; i < 10; i++) await answers(guess(), Code.Unauthenticated, "INVALID_CREDENTIALS", DOMAIN);
    // A further try is free every six seconds, and a busy machine takes as long for some.
    let refused = guess();
    for (let more = 0; (await codeOf(refused)) === Code.Unauthenticated; more++) {
      assert.ok(more < Math.floor((performance.now() - since) / 6_000), "one try too many");
      refused = guess();
    }
    await answers(refused, Code.ResourceExhausted, "RATE_LIMITED");
  });

  it("gives parallel refreshes at two instances one successor, and ends the session on late reuse", async () => {
    const { tokens } = await one.as().register({ username: "edsger", password, device: phone });
    const refreshToken = tokens?.refreshToken ?? "";
    const refreshed = await Promise.all(
      Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? one : other).as().refresh({ refreshToken })),
    );
    const successors = new Set(refreshed.map(({ tokens: { refreshToken = "" } = {} }) => refreshToken));
    assert.equal(successors.size, 1);
    const [successor = ""] = successors;
    const third = await other.as().refresh({ refreshToken: successor });
    assert.equal(third.tokens?.sessionId, tokens?.sessionId);
    const invalid = (token: string) =>
      answers(one.as().refresh({ refreshToken: token }), Code.Unauthenticated, "REFRESH_TOKEN_INVALID", DOMAIN);
    await invalid(refreshToken);
    await invalid(third.tokens?.refreshToken ?? "");
    const { liveSessionIds } = await one.mesh.getSessions({ sessionIds: [tokens?.sessionId ?? ""] });
    assert.deepEqual(liveSessionIds, []);
  });

  it("ends sessions: one's own, one by one, all", async () => {
    const { tokens } = await one.as().register({ username: "barbara", password, device: phone });
    const login = async (deviceId: string) =>
      (await one.as().login({ username: "barbara", password, device: { ...phone, deviceId } })).tokens;
    const me = one.as(tokens?.accessToken);
    const laptop = await login("laptop");
    await me.revokeSession({ sessionId: laptop?.sessionId ?? "" });
    await answers(me.revokeSession({ sessionId: v7() }), Code.NotFound, "SESSION_NOT_FOUND", DOMAIN);
    await me.changePassword({ currentPassword: password, newPassword: "battery staple" });
    await me.logoutEverywhere({});
    await me.logoutEverywhere({});
    await me.logout({});
    await answers(me.listSessions({}), Code.Unauthenticated, "SESSION_REVOKED");
    await assert.rejects(one.mesh.validateToken({ accessToken: tokens?.accessToken ?? "" }), /revoked/);
  });

  it("refuses no token, a bad one, a refresh token, and an access token where a refresh token belongs", async () => {
    const { tokens } = await one.as().register({ username: "alan", password, device: phone });
    for (const token of [undefined, "x", tokens?.refreshToken]) {
      await answers(one.as(token).listSessions({}), Code.Unauthenticated, "TOKEN_INVALID");
    }
    const call = one.as().refresh({ refreshToken: (tokens?.accessToken ?? "").slice(0, 256) });
    await answers(call, Code.Unauthenticated, "REFRESH_TOKEN_INVALID", DOMAIN);
  });

  it("names the fields that are wrong", async () => {
    const bad = {
      username: "A",
      password: "short",
      device: { deviceId: "", platform: Platform.UNSPECIFIED, name: "" },
    };
    const fields = await answers(one.as().register(bad), Code.InvalidArgument, "INVALID_FIELD");
    assert.deepEqual(fields.sort(), ["device.device_id", "device.platform", "password", "username"]);
    assert.deepEqual(
      await answers(one.as().login({ username: "ada", password }), Code.InvalidArgument, "INVALID_FIELD"),
      ["device"],
    );
    const { tokens } = await one.as().login({ username: "ada", password, device: phone });
    const page = one.as(tokens?.accessToken).listSessions({ pageToken: "made up" });
    assert.deepEqual(await answers(page, Code.InvalidArgument, "INVALID_FIELD"), ["page_token"]);
  });

  it("answers the edge's plain GET for the key set", async () => {
    const session = connect(`http://127.0.0.1:${one.port}`);
    try {
      const path = "/oceanchat.auth.v1.AuthService/GetJwks?connect=v1&encoding=json&message=%7B%7D";
      const response = session.request({ ":path": path });
      let body = "";
      for await (const chunk of response) body += String(chunk);
      const { keys } = JSON.parse(body);
      assert.deepEqual(Object.keys(keys[0]).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
      assert.equal((await other.mesh.getSigningKeys({})).keys[0]?.kid, keys[0].kid);
    } finally {
      session.close();
    }
  });

  it("says UNAVAILABLE while user is away; a login finishes the registration then", async () => {
    const { mongodbUrl } = servers;
    const alone = await startAuth({ mongodbUrl, database: "auth", userPort: 1 });
    try {
      const register = { username: "konrad", password, displayName: "Konrad Z.", device: phone };
      await answers(alone.as().register(register), Code.Unavailable, "UNAVAILABLE");
      const { user: profile } = await one.as().login(register);
      assert.equal(profile?.displayName, "Konrad Z.");
    } finally {
      await alone.stop();
    }
  });

  it("goes on after the store was killed", async () => {
    const { tokens } = await one.as().register({ username: "tony", password, device: phone });
    await servers.kill("mongodb");
    await servers.untilReady("mongodb");
    const { sessions } = await one.as(tokens?.accessToken).listSessions({});
    assert.equal(sessions[0]?.sessionId, tokens?.sessionId);
    await one.as().login({ username: "tony", password, device: phone });
  }).timeout(60_000);
});
