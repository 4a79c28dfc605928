import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { worldOverValkey } from "../support/valkey.ts";

describe("changes, as watchers see them", () => {
  const at = worldOverValkey();

  it("tells of a change once, and not of a second device that comes or goes", async () => {
    const { world, userId, device, id } = await at.watching();
    const second = await world.connect(userId);
    assert.deepEqual(await world.seconds(2), []);
    await world.disconnect(device);
    assert.deepEqual(await world.seconds(2), []);
    await world.disconnect(second);
    assert.deepEqual(await world.seconds(2), [`${id} OFFLINE`]);
    await world.choose(userId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), []);
    await world.connect(userId);
    assert.deepEqual(await world.seconds(2), [`${id} AWAY`]);
  });

  it("tells one change of a user in a second, the last", async () => {
    const { world, userId, id } = await at.watching();
    await world.choose(userId, Status.BUSY);
    await world.core.fanOut.turn();
    assert.equal(world.sent.length, 1);
    for (const status of [Status.AWAY, Status.ONLINE, Status.BUSY, Status.AWAY]) {
      await world.choose(userId, status);
      world.nowMs += 100;
      await world.core.fanOut.turn();
    }
    assert.equal(world.sent.length, 1);
    assert.deepEqual(await world.seconds(3), [`${id} AWAY`]);
  });

  it("says nothing of what an invisible user does, not even to who has just subscribed", async () => {
    const { world, userId, device, id, watcher } = await at.watching();
    await world.choose(userId, Status.INVISIBLE);
    assert.deepEqual(await world.seconds(2), [`${id} OFFLINE`]);
    await world.disconnect(device);
    await world.core.watches.subscribe({ ...watcher, viewerId: watcher.userId }, [userId]);
    const again = await world.connect(userId);
    await world.choose(userId, Status.INVISIBLE, "still here");
    assert.deepEqual(await world.seconds(4), []);
    await world.disconnect(again);
    assert.deepEqual(await world.seconds(2), []);
  });

  it("shows a user himself as he is, invisible and all", async () => {
    const { world } = at;
    const userId = randomUUID();
    const watcher = await world.connect(userId);
    await world.subscribe(watcher, [userId]);
    await world.choose(userId, Status.INVISIBLE);
    assert.deepEqual(await world.seconds(2), [`${watcher.connectionId} INVISIBLE`]);
  });

  it("shows who may see nothing any more OFFLINE once, and nothing from then on", async () => {
    const { world, viewerId, userId, id } = await at.watching();
    world.verdicts.set(`${viewerId} ${userId}`, PresenceVerdict.HIDDEN);
    await world.choose(userId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), [`${id} OFFLINE`]);
    for (const status of [Status.BUSY, Status.ONLINE]) await world.choose(userId, status);
    assert.deepEqual(await world.seconds(3), []);
    world.verdicts.delete(`${viewerId} ${userId}`);
    await world.choose(userId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), [`${id} AWAY`]);
  });

  it("doesn't tell that a user was here to who may not see when", async () => {
    const { world } = at;
    const [viewerId, userId] = [randomUUID(), randomUUID()];
    world.verdicts.set(`${viewerId} ${userId}`, PresenceVerdict.STATUS);
    const watcher = await world.connect(viewerId);
    const friend = await world.connect(randomUUID());
    await world.subscribe(watcher, [userId]);
    await world.subscribe(friend, [userId]);
    world.statuses.set(userId, { status: Status.ONLINE, text: "", expireMs: undefined, lastSeenMs: 5 });
    await world.core.watches.mark([userId]);
    assert.deepEqual(await world.seconds(2), [`${friend.connectionId} OFFLINE`]);
  });

  it("shows a change of who may see a user without any other change, soon and once", async () => {
    const { world } = at;
    const [viewerId, otherId, userId] = [randomUUID(), randomUUID(), randomUUID()];
    await world.lease();
    const [watcher, other] = [await world.connect(viewerId), await world.connect(otherId)];
    await world.connect(userId);
    await world.subscribe(watcher, [userId]);
    await world.subscribe(other, [userId]);
    await world.seconds(2);
    world.verdicts.set(`${viewerId} ${userId}`, PresenceVerdict.HIDDEN);
    await world.core.watches.review([userId]);
    assert.deepEqual(await world.seconds(4), [`${watcher.connectionId} OFFLINE`]);
    world.verdicts.delete(`${viewerId} ${userId}`);
    await world.core.watches.review([userId, randomUUID()]);
    assert.deepEqual(await world.seconds(4), [`${watcher.connectionId} ONLINE`]);
  });

  it("shows nothing while user can't be asked, and what is true afterwards", async () => {
    const { world, userId, id } = await at.watching();
    world.usersAway = true;
    await world.choose(userId, Status.AWAY);
    for (let i = 0; i < 3; i++) await assert.rejects(world.seconds(1), { reason: "ERROR_REASON_UNAVAILABLE" });
    world.usersAway = false;
    assert.deepEqual(await world.seconds(2), [`${id} AWAY`]);
  });

  it("tells nobody that a user is gone whose status can't be read", async () => {
    const { world, userId, id } = await at.watching();
    world.statusesAway = true;
    await world.core.watches.mark([userId]);
    assert.deepEqual(await world.seconds(3), []);
    world.statusesAway = false;
    await world.choose(userId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), [`${id} AWAY`]);
  });

  it("keeps what couldn't be sent for later", async () => {
    const { world, userId, id } = await at.watching();
    world.natsAway = true;
    await world.choose(userId, Status.AWAY);
    assert.deepEqual(await world.seconds(2), []);
    world.natsAway = false;
    assert.deepEqual(await world.seconds(2), [`${id} AWAY`]);
  });

  it("is taken over when an instance dies in the middle", async () => {
    const { world, userId, id } = await at.watching();
    await world.choose(userId, Status.AWAY);
    const taken = await world.store.queue.take(10, world.nowMs, world.nowMs + 10_000);
    assert.deepEqual(taken, [userId]);
    assert.deepEqual(await world.seconds(8), []);
    assert.deepEqual(await world.seconds(3), [`${id} AWAY`]);
  });

  it("shows a change of the moment at which another is being shown", async () => {
    const { world, userId, id } = await at.watching();
    await world.choose(userId, Status.AWAY);
    const [taken = ""] = await world.store.queue.take(10, world.nowMs, world.nowMs + 10_000);
    await world.choose(userId, Status.BUSY);
    assert.deepEqual(await world.store.queue.take(10, world.nowMs, world.nowMs + 10_000), [], "one at a time");
    await world.store.queue.done([taken], [], world.nowMs + 1_000);
    assert.deepEqual(await world.seconds(2), [`${id} BUSY`]);
  });

  it("tells each of many watchers once, by two instances, and asks for a thousand pairs at once at most", async function () {
    const { world } = at;
    this.timeout(20_000);
    const userId = randomUUID();
    await world.connect(userId);
    const watchers = await Promise.all(Array.from({ length: 1_200 }, () => world.connect(randomUUID())));
    for (const watcher of watchers) {
      await world.core.watches.subscribe({ ...watcher, viewerId: watcher.userId }, [userId]);
    }
    const another = world.another();
    await world.seconds(2);
    assert.deepEqual(world.sent, []);
    await world.choose(userId, Status.AWAY);
    world.nowMs += 1_001;
    await Promise.all([world.core.fanOut.turn(), another.fanOut.turn()]);
    await Promise.all([world.core.fanOut.turn(), another.fanOut.turn()]);
    assert.deepEqual(
      world.sent.map(({ connectionId }) => connectionId).sort(),
      watchers.map(({ connectionId }) => connectionId).sort(),
    );
    assert.ok(Math.max(...world.asked) <= 1_000, String(Math.max(...world.asked)));
  });
});
