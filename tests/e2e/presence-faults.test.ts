import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { inMesh } from "../support/mode.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { TestUser } from "../support/user.ts";
import { subscribe, told, untilStatuses, untilTold } from "../support/watching.ts";

const setStatus = (user: TestUser, status: string) =>
  user.ok("PUT", "/presence/status", { status: `STATUS_${status}` });

/** Until Redis has lost everything a lease may go by; a busy machine gets some more. */
const REBUILT_MS = 40_000;

/** What survivors see, so there must be some. */
const itOutlives = inMesh ? it : () => undefined;

describe("subscriptions when something dies", function () {
  this.timeout(120_000);
  let [viewer, user]: TestUser[] = [];
  let [watcher, device]: TestSocket[] = [];

  async function watching() {
    const { at } = installation();
    [viewer, user] = await Promise.all([TestUser.register(at, "viewer"), TestUser.register(at, "user")]);
    device = await user.connect();
    watcher = await viewer.connectElsewhere(device.hello.gatewayId);
    assert.deepEqual(await subscribe(watcher, [user]), ["ONLINE"]);
    return { viewer, user, watcher, device };
  }

  before(() => untilStatuses(installation().at));

  /** A change until it is seen: what is sent while something is away may get lost. */
  async function untilSeen(on: TestSocket, of: TestUser): Promise<void> {
    const before = told(on, of).length;
    for (let tries = 0; told(on, of).length === before; tries++) {
      await setStatus(of, tries % 2 === 0 ? "BUSY" : "AWAY").catch(() => undefined);
      await untilTold(on, of, before + 1, 2_000).catch(() => undefined);
      assert.ok(tries < 15, "no change is shown any more");
    }
  }

  afterEach(async () => {
    await Promise.all([watcher?.close(), device?.close()]);
  });

  itOutlives("live on when presence is killed", async () => {
    const { user, watcher } = await watching();
    const { mesh } = installation();
    await mesh.kill("presence-1", "SIGKILL");
    await mesh.untilReady("presence-1");
    await untilSeen(watcher, user);
  });

  it("live on when Redis has lost everything, and show who went meanwhile", async () => {
    const { user, watcher, device } = await watching();
    const redis = new Redis(installation().mesh.endpoints.infra.redis);
    await redis.flushall();
    await device.close();
    redis.disconnect();
    assert.match((await untilTold(watcher, user, 1, REBUILT_MS)).at(-1) ?? "", /^OFFLINE/);
    const again = await user.connect();
    await untilTold(watcher, user, 2, REBUILT_MS);
    assert.equal(told(watcher, user).at(-1), "ONLINE");
    await again.close();
  });

  itOutlives("are asked for again on another gateway, and leave the old one's watches to be swept", async () => {
    const { viewer, user, watcher } = await watching();
    const { mesh } = installation();
    const [, number] = /^ws-gateway-(\d)/.exec(watcher.hello.gatewayId) ?? [];
    await mesh.kill(`ws-gateway-${number}`, "SIGKILL");
    await watcher.closed;
    const again = await viewer.connect();
    // The other one, or the next in the dead one's place.
    assert.notEqual(again.hello.gatewayId, watcher.hello.gatewayId);
    assert.deepEqual(await subscribe(again, [user]), ["ONLINE"]);
    await setStatus(user, "BUSY");
    assert.deepEqual(await untilTold(again, user, 1), ["BUSY"]);
    await mesh.untilReady(`ws-gateway-${number}`);
    const redis = new Redis(mesh.endpoints.infra.redis);
    for (const began = Date.now(); (await redis.hlen(`presence:watchers:${user.userId}`)) !== 1; ) {
      assert.ok(Date.now() - began < 75_000, "what the dead gateway's connection watched is still there");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    redis.disconnect();
    await again.close();
  });

  itOutlives("show within a lease and five seconds that the users of a dead gateway are gone", async () => {
    const { user, watcher, device } = await watching();
    const { mesh } = installation();
    const [, number] = /^ws-gateway-(\d)/.exec(device.hello.gatewayId) ?? [];
    await mesh.kill(`ws-gateway-${number}`, "SIGKILL");
    const began = Date.now();
    assert.match((await untilTold(watcher, user, 1, 30_000)).at(-1) ?? "", /^OFFLINE/);
    assert.ok(Date.now() - began < 21_500, `${Date.now() - began} ms`);
    await mesh.untilReady(`ws-gateway-${number}`);
  });
});
