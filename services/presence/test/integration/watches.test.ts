import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { fromKept } from "../../src/core/kept.ts";
import { worldOverValkey } from "../support/valkey.ts";
import { GATEWAY } from "../support/watching.ts";

describe("watches over Valkey", () => {
  const at = worldOverValkey();

  it("answers how users are, each once, and what is to be kept", async () => {
    const { world } = at;
    const [viewerId, userId, otherId] = [randomUUID(), randomUUID(), randomUUID()];
    await world.connect(userId);
    world.statuses.set(userId, { status: Status.BUSY, text: "in a meeting", expireMs: undefined, lastSeenMs: 1 });
    const watcher = await world.connect(viewerId);
    const { presences, keep } = await world.subscribe(watcher, [userId, otherId, userId.toUpperCase()]);
    assert.deepEqual(
      presences.map((each) => [each.userId, each.status, each.statusText]),
      [
        [userId, Status.BUSY, "in a meeting"],
        [otherId, Status.OFFLINE, ""],
      ],
    );
    assert.deepEqual(fromKept(keep), [userId, otherId]);
    assert.deepEqual(await world.seconds(3), [], "what was answered is not said again");
  });

  it("lets no signal overtake the answer, and none get lost behind it", async () => {
    const { world } = at;
    const [viewerId, userId] = [randomUUID(), randomUUID()];
    await world.connect(userId);
    const watcher = await world.connect(viewerId);
    const { presences } = await world.core.watches.subscribe({ ...watcher, viewerId }, [userId]);
    assert.equal(presences[0]?.status, Status.ONLINE);
    await world.choose(userId, Status.AWAY);
    await world.core.fanOut.turn();
    assert.deepEqual(world.sent, []);
    assert.deepEqual(await world.seconds(2), [`${watcher.connectionId} AWAY`]);
  });

  it("watches those named last, and nobody after an empty list", async () => {
    const { world, userId, watcher, id } = await at.watching();
    const otherId = randomUUID();
    await world.connect(otherId);
    await world.subscribe(watcher, [otherId]);
    await world.choose(userId, Status.AWAY);
    await world.choose(otherId, Status.BUSY);
    assert.deepEqual(await world.seconds(2), [`${id} BUSY`]);
    const { presences, keep } = await world.subscribe(watcher, []);
    assert.deepEqual([presences.length, keep.length], [0, 0]);
    await world.choose(otherId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), []);
    assert.deepEqual(await at.leftKeys(), ["presence:watching-gateways"]);
  });

  it("carries subscriptions of one connection out in their order", async () => {
    const { world } = at;
    const [viewerId, userId, otherId] = [randomUUID(), randomUUID(), randomUUID()];
    const watcher = { ...(await world.connect(viewerId)), viewerId };
    const lists = [[userId], [userId, otherId], [], [otherId]];
    await Promise.all(lists.map((list) => world.core.watches.subscribe(watcher, list)));
    assert.deepEqual(await at.redis.keys("presence:watchers:*"), [`presence:watchers:${otherId}`]);
  });

  it("refuses too many, and what is no user's id", async () => {
    const { world } = at;
    const watcher = await world.connect(randomUUID());
    const many = Array.from({ length: 501 }, () => randomUUID());
    await assert.rejects(world.subscribe(watcher, many), { reason: "ERROR_REASON_INVALID_FIELD" });
    await assert.rejects(world.subscribe(watcher, ["bob"]), { reason: "ERROR_REASON_INVALID_FIELD" });
    assert.equal((await world.subscribe(watcher, many.slice(0, 500))).presences.length, 500);
  });

  it("leaves nothing behind when connections are gone", async () => {
    const { world, watcher } = await at.watching();
    await world.disconnect(watcher);
    assert.deepEqual(await at.leftKeys(), ["presence:watching-gateways"]);
  });

  it("finds out that a connection was gone before it subscribed", async () => {
    const { world } = at;
    const [viewerId, userId] = [randomUUID(), randomUUID()];
    const watcher = await world.connect(viewerId);
    await world.disconnect(watcher);
    await world.subscribe(watcher, [userId]);
    await world.core.watches.sweep();
    assert.equal(await at.redis.exists(`presence:watchers:${userId}`), 1);
    world.nowMs += 61_000;
    await world.core.watches.sweep();
    assert.deepEqual(await at.leftKeys(), ["presence:watching-gateways"]);
  });

  it("removes what a dead gateway's connections watched, after two leases", async () => {
    const { world } = at;
    const [viewerId, userId] = [randomUUID(), randomUUID()];
    await world.lease("g2");
    await world.subscribe(await world.connect(viewerId, "g2"), [userId]);
    await world.store.connections.endLease("g2", 0, world.nowMs);
    await world.core.watches.sweep();
    assert.equal(await at.redis.exists(`presence:watchers:${userId}`), 1);
    world.nowMs += 31_000;
    await world.core.watches.sweep();
    assert.deepEqual(await at.leftKeys(), []);
  });

  it("keeps what a gateway reports that was away for a while", async () => {
    const { world } = at;
    const [viewerId, userId] = [randomUUID(), randomUUID()];
    await world.lease("g2");
    const watcher = await world.connect(viewerId, "g2");
    const { keep } = await world.subscribe(watcher, [userId]);
    await world.store.connections.endLease("g2", 0, world.nowMs);
    await world.core.watches.sweep();
    world.nowMs += 31_000;
    await world.restore(watcher, keep); // of a lease that this instance hasn't seen yet
    await world.core.watches.sweep();
    await world.lease("g2");
    await world.core.watches.sweep();
    assert.equal(await at.redis.exists(`presence:watchers:${userId}`), 1);
  });

  it("lives on when Redis has lost everything, and shows what was missed within a lease", async () => {
    const { world, userId, device, watcher, answer, id } = await at.watching();
    const otherId = randomUUID();
    const { keep } = await world.subscribe(watcher, [userId, otherId]);
    await world.connect(otherId);
    assert.deepEqual(await world.seconds(2), [`${id} ONLINE`]);
    await at.redis.flushall();
    assert.deepEqual(await world.core.connections.lease(GATEWAY, "g1:1"), { reportAll: true, replaced: [] });
    // The other one is gone meanwhile; the watcher is reported before the user.
    await world.restore(watcher, keep);
    await world.core.connections.connected(watcher);
    await world.core.connections.connected(device);
    assert.equal(fromKept(answer.keep).length, 1);
    const told = await world.seconds(16);
    assert.deepEqual([...told].sort(), [`${id} OFFLINE`, `${id} ONLINE`]);
    await world.choose(userId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), [`${id} AWAY`]);
  });

  it("counts a connection whose gateway keeps something else all the same", async () => {
    const { world } = at;
    const watcher = await world.connect(randomUUID());
    await world.restore(watcher, Uint8Array.of(10, 3, 1, 2, 3));
    assert.equal(world.unreadable.length, 1);
  });
});
