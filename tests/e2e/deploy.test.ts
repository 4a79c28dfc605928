import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Device } from "../support/device/device.ts";
import { installation } from "../support/shared-installation.ts";
import { directId, TestUser } from "../support/user.ts";
import { subscribe, told, untilStatuses } from "../support/watching.ts";

/** Longer than pusher-offline waits for those whose gateway has gone. */
const TOLD_BY_NOW_MS = 12_000;
const BETWEEN_MS = 100;

describe("a gateway that goes while its users are written to", function () {
  this.timeout(120_000);

  before(() => untilStatuses(installation().at));

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`by ${signal}: their phones stay silent, they never look offline, and they miss nothing`, async () => {
      const { at, mesh, fcm } = installation();
      const [viewer, user] = await Promise.all([TestUser.register(at, "viewer"), TestUser.register(at, "user")]);
      const token = `fcm-${randomUUID()}`;
      await user.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token });
      const device = new Device(user);
      await device.start();
      const gatewayId = device.gatewayId ?? "";
      const [, number] = /^ws-gateway-(\d)/.exec(gatewayId) ?? [];
      const watcher = await viewer.connectElsewhere(gatewayId);
      assert.deepEqual(await subscribe(watcher, [user]), ["ONLINE"]);
      const conversationId = directId(viewer.userId, user.userId);
      let sent = 0;
      let ended = false;
      const sending = (async () => {
        for (; !ended; await sleep(BETWEEN_MS)) {
          const { status } = await viewer.send({ conversationId }, `message ${sent + 1}`);
          assert.equal(status, 200);
          sent++;
        }
      })();
      await device.untilHas(conversationId, 3, 10_000);
      await mesh.kill(`ws-gateway-${number}`, signal);
      await mesh.untilReady(`ws-gateway-${number}`);
      ended = true;
      await sending;
      await device.untilHas(conversationId, sent, 20_000);
      assert.notEqual(device.gatewayId, gatewayId);
      await sleep(TOLD_BY_NOW_MS); // nothing is to be heard until then: there is no event to wait for
      const notified = fcm.requests.filter((each) => each.token === token);
      assert.equal(notified.length, 0, "notifications");
      assert.deepEqual(told(watcher, user), [], "what the watcher was shown");
      await Promise.all([device.end(), watcher.close()]);
    });
  }

  it("is no reason to wake phones either that Redis has lost everything: what comes meanwhile is pushed", async () => {
    const { at, mesh, fcm } = installation();
    const [sender, user] = await Promise.all([TestUser.register(at, "sender"), TestUser.register(at, "user")]);
    const token = `fcm-${randomUUID()}`;
    await user.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token });
    const socket = await user.connect();
    const first = await sender.send({ userId: user.userId }, "before");
    assert.equal(first.status, 200);
    await socket.untilRecord(({ seq }) => seq === 1n);
    const redis = new Redis(mesh.endpoints.infra.redis);
    await redis.flushall();
    redis.disconnect();
    assert.equal((await sender.send({ userId: user.userId }, "meanwhile")).status, 200);
    await socket.untilRecord(({ seq }) => seq === 2n, 30_000);
    assert.equal(fcm.requests.filter((each) => each.token === token).length, 0, "notifications");
    await socket.close();
  });

  it("doesn't keep the phones of those silent who don't come back", async () => {
    const { at, mesh, fcm } = installation();
    const [sender, user] = await Promise.all([TestUser.register(at, "sender"), TestUser.register(at, "user")]);
    const token = `fcm-${randomUUID()}`;
    await user.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token });
    const socket = await user.connect();
    const [, number] = /^ws-gateway-(\d)/.exec(socket.hello.gatewayId) ?? [];
    await mesh.kill(`ws-gateway-${number}`, "SIGKILL");
    await socket.closed;
    assert.equal((await sender.send({ userId: user.userId }, "are you there?")).status, 200);
    await fcm.untilRequest((each) => each.token === token, 30_000);
    await mesh.untilReady(`ws-gateway-${number}`);
  });
});
