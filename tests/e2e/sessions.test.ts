import assert from "node:assert/strict";
import { reasonOf, rest, restOk } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { TestUser } from "../support/user.ts";

/** What the contract promises, in milliseconds. */
const WITHIN_MS = 2_000;

describe("a session that ends", () => {
  let alice: TestUser;
  let bystander: TestSocket;

  before(async () => {
    bystander = await (await TestUser.register(installation().at, "bystander")).connect();
  });
  beforeEach(async () => {
    alice = await TestUser.register(installation().at, "alice");
  });
  after(async () => {
    await assertOpen(bystander);
    await bystander.close();
  });

  /** Does something that ends sessions, and waits until their sockets are closed for that. */
  async function assertCloses(sockets: readonly TestSocket[], end: () => Promise<unknown>): Promise<void> {
    const since = performance.now();
    const closing = Promise.all(sockets.map(({ closed }) => closed));
    await end();
    const closed = await Promise.race([closing, new Promise<[]>((resolve) => setTimeout(resolve, 5_000, []))]);
    const tookMs = performance.now() - since;
    assert.deepEqual(
      closed.map(({ code }) => code),
      sockets.map(() => 4401),
    );
    assert.ok(tookMs < WITHIN_MS, `after ${tookMs} ms`);
  }

  /** The other side answers. */
  async function assertOpen({ raw }: TestSocket): Promise<void> {
    const answer = new Promise<void>((resolve, reject) => {
      raw.once("pong", () => resolve());
      raw.once("close", (code) => reject(new Error(`closed with ${code}`)));
    });
    raw.ping();
    await answer;
  }

  it("by logout loses its socket with 4401 within 2 s", async () => {
    const socket = await alice.connect();
    await assertCloses([socket], () => alice.ok("POST", "/auth/logout", {}));
  });

  it("by logout everywhere: on every device, at every gateway", async () => {
    const [laptop, tablet] = [await alice.login(), await alice.login()];
    const first = await alice.connect();
    const second = await laptop.connectElsewhere(first.hello.gatewayId);
    const third = await tablet.connect({ json: true });
    await assertCloses([first, second, third], () => tablet.ok("POST", "/auth/logout-everywhere", {}));
  });

  it("by another device, or a new password: that device stays", async () => {
    const [laptop, tablet] = [await alice.login(), await alice.login()];
    const mine = await alice.connect();
    const [second, third] = [await laptop.connect(), await tablet.connect()];
    await assertCloses([second], () => alice.ok("DELETE", `/auth/sessions/${laptop.sessionId}`));
    await assertOpen(third);
    const change = { currentPassword: "correct horse battery", newPassword: "battery staple horse" };
    await assertCloses([third], () => alice.ok("POST", "/auth/password", change));
    await assertOpen(mine);
    await mine.close();
  });

  it("by a login of the same device: the new session's socket stays", async () => {
    const old = await alice.connect();
    let again: TestUser | undefined;
    await assertCloses([old], async () => {
      again = await alice.login(alice.deviceId);
    });
    const socket = await again?.connect();
    assert.ok(socket !== undefined);
    // Longer than the second look at the user takes.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await assertOpen(socket);
    await socket.close();
  });

  it("by a refresh token that comes a second time", async () => {
    const { edge } = installation().at;
    const socket = await alice.connect();
    const refresh = (refreshToken: string) =>
      restOk<{ tokens: { refreshToken: string } }>(edge, "POST", "/auth/refresh", { body: { refreshToken } });
    const second = await refresh(alice.refreshToken);
    await refresh(second.tokens.refreshToken);
    await assertOpen(socket);
    await assertCloses([socket], async () => {
      const stolen = await rest(edge, "POST", "/auth/refresh", { body: { refreshToken: alice.refreshToken } });
      assert.equal(stolen.status, 401);
      assert.equal(reasonOf(stolen.body), "ERROR_REASON_REFRESH_TOKEN_INVALID");
    });
  });

  it("gets no socket any more, although its access token is good for minutes", async () => {
    await alice.ok("POST", "/auth/logout", {});
    await alice.ok("GET", "/users/me");
    for (const options of [{}, { browser: true }]) {
      await assert.rejects(alice.connect(options), /closed with 4401 before hello/);
    }
  });
});
