import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { installation } from "../support/shared-installation.ts";
import { directId, TestUser, textTo } from "../support/user.ts";

describe("a message to a group", () => {
  it("goes all the way: acked, pushed to another gateway, notified offline, stored, read back", async function () {
    this.timeout(60_000);
    const { at, fcm, mesh } = installation();
    const [alice, bob, carol] = await Promise.all(["alice", "bob", "carol"].map((name) => TestUser.register(at, name)));
    assert.ok(alice !== undefined && bob !== undefined && carol !== undefined);
    const { conversationId } = await alice.createGroup([bob, carol]);
    const deviceToken = `fcm-${randomUUID()}`;
    await carol.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token: deviceToken });

    const a = await alice.connect();
    const b = await bob.connectElsewhere(a.hello.gatewayId);
    assert.equal(a.hello.gatewayId === b.hello.gatewayId, at.gateways === 1);

    const accepted = await a.ask(textTo(conversationId, "hello, all of you"), "messageAccepted");
    assert.equal(accepted.seq, 2n, "after the record of the group's creation");
    assert.equal(accepted.duplicate, false);
    const received = await b.untilRecord(({ recordId }) => recordId === accepted.recordId);
    assert.equal(received.seq, 2n);
    assert.equal(received.senderUserId, alice.userId);
    assert.equal(
      received.body.case === "message" && received.body.value.content?.kind.value?.$typeName,
      "oceanchat.records.v1.TextContent",
    );

    const push = await fcm.untilRequest(({ token }) => token === deviceToken, 20_000);
    assert.equal(push.status, 200);
    const stored = await bob.records(conversationId);
    assert.equal(stored[1]?.recordId, accepted.recordId);
    assert.equal(stored[1]?.message?.content.text?.text, "hello, all of you");
    assert.deepEqual(new Set(stored[0]?.membership?.joined), new Set([alice.userId, bob.userId, carol.userId]));

    const mongo = await MongoClient.connect(mesh.endpoints.infra.mongodb);
    const began = Date.now();
    while ((await mongo.db("oceanchat").collection("records").countDocuments({ recordId: accepted.recordId })) !== 1) {
      assert.ok(Date.now() - began < 10_000, "the record is not in the store");
    }
    await mongo.close();
    await Promise.all([a.close(), b.close()]);
    assert.equal(fcm.requests.filter(({ token }) => token === deviceToken).length, 1, "one notification, not more");
  });

  it("reaches every device but the sending one, in both codecs", async () => {
    const { at } = installation();
    const alice = await TestUser.register(at, "alice");
    const bob = await TestUser.register(at, "bob");
    const conversationId = directId(alice.userId, bob.userId);
    const [a, b] = await Promise.all([alice.connect(), bob.connect({ json: true, browser: true })]);
    const accepted = await a.ask(textTo(conversationId, "hi"), "messageAccepted");
    const received = await b.untilRecord(({ recordId }) => recordId === accepted.recordId);
    assert.equal(received.seq, 1n);
    const back = await b.ask(textTo(conversationId, "hi yourself"), "messageAccepted");
    assert.equal(back.seq, 2n);
    await a.untilRecord(({ recordId }) => recordId === back.recordId);
    assert.deepEqual(
      a.records().map(({ seq }) => seq),
      [2n],
      "the sender's own device gets the ack, not the record",
    );
    await Promise.all([a.close(), b.close()]);
  });

  it("is listed with its conversation, for both", async () => {
    const { at } = installation();
    const alice = await TestUser.register(at, "alice");
    const bob = await TestUser.register(at, "bob");
    const { status, body } = await alice.send({ userId: bob.userId }, "by REST");
    assert.equal(status, 200, JSON.stringify(body));
    const began = Date.now();
    for (;;) {
      const { conversations } = await bob.ok<{
        conversations: { conversationId: string; unreadCount: number; lastRecord: { seq: string } }[];
      }>("GET", "/conversations");
      const [only] = conversations;
      if (only !== undefined && only.unreadCount === 1) {
        assert.equal(only.conversationId, directId(alice.userId, bob.userId));
        assert.equal(only.lastRecord.seq, "1");
        break;
      }
      assert.ok(Date.now() - began < 10_000, JSON.stringify(conversations));
    }
  });

  it("survives that Redis loses everything: presence comes back and messages arrive", async function () {
    this.timeout(60_000);
    const { at, mesh } = installation();
    const alice = await TestUser.register(at, "alice");
    const bob = await TestUser.register(at, "bob");
    const [a, b] = await Promise.all([alice.connect(), bob.connect()]);
    const redis = new Redis(mesh.endpoints.infra.redis);
    await redis.flushall();
    const began = Date.now();
    while ((await redis.exists(`presence:user:{${bob.userId}}`)) === 0) {
      assert.ok(Date.now() - began < 20_000, "presence was not rebuilt within a lease");
    }
    redis.disconnect();
    const accepted = await a.ask(textTo(directId(alice.userId, bob.userId), "still there?"), "messageAccepted");
    await b.untilRecord(({ recordId }) => recordId === accepted.recordId);
    await Promise.all([a.close(), b.close()]);
  });
});
