import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type SendTask, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { createDispatch } from "../../src/core/dispatch.ts";
import { createSender } from "../../src/core/send.ts";
import type { ProviderName, PushNotification } from "../../src/ports.ts";
import { MemoryStore } from "../support/memory-store.ts";

const record = create(RecordSchema, {
  recordId: "r1",
  conversationId: "c",
  seq: 7n,
  senderUserId: "alice",
  body: { case: "message", value: { content: { kind: { case: "text", value: { text: "hi" } } } } },
});
const users = (count: number) => Array.from({ length: count }, (_, n) => `user-${n}`);

/** A queue that knows repeats within its window, as the stream does. */
function setup() {
  const store = new MemoryStore();
  const ids = new Set<string>();
  const queued: SendTask[] = [];
  const names: string[] = [];
  const asked: number[] = [];
  /** When users have connected last, in milliseconds since the epoch. */
  const back = new Map<string, number>();
  const [counts, limits] = [{ running: 0, most: 0 }, { fail: Number.POSITIVE_INFINITY }];
  const dispatch = createDispatch({
    store,
    configured: new Set<ProviderName>(["fcm"]),
    now: () => 1,
    queue: {
      async enqueue(_provider, task) {
        counts.most = Math.max(counts.most, ++counts.running);
        await new Promise((resolve) => setImmediate(resolve));
        counts.running--;
        if (queued.length >= limits.fail) throw new Error("no answer");
        const id = `${task.recordId}:${task.tokenId}`;
        if (!ids.has(id)) queued.push(create(SendTaskSchema, task));
        ids.add(id);
      },
    },
    peers: {
      signingKeys: async () => [],
      connectedSince: async (userIds, sinceMs) => {
        asked.push(userIds.length);
        return new Set(userIds.filter((userId) => (back.get(userId) ?? 0) >= sinceMs));
      },
      displayName: async (userId) => {
        names.push(userId);
        return "Alice";
      },
    },
  });
  const register = (userId: string, provider: ProviderName = "fcm") =>
    store.register({
      tokenId: `t-${provider}-${userId}`,
      userId,
      deviceId: "d",
      provider,
      token: userId,
      createdAtMs: 1,
    });
  return { store, queued, ids, names, asked, back, counts, limits, dispatch, register };
}

describe("a notice for many users", () => {
  it("asks for all tokens by the 500 and costs those without one nothing else", async () => {
    const { dispatch, store, queued, names } = setup();
    await dispatch.handle({ userIds: users(1001), record });
    assert.deepEqual(store.asked, [500, 500, 1]);
    assert.deepEqual([queued.length, store.decided.length, names.length], [0, 0, 0]);
  });

  it("queues each device of each user who has some, wherever he stands in the list", async () => {
    const { dispatch, store, queued, register } = setup();
    const having = [0, 499, 500, 999, 1000].map((n) => `user-${n}`);
    for (const userId of [...having, "somebody-else"]) await register(userId);
    await dispatch.handle({ userIds: users(1001), record });
    assert.deepEqual(
      queued.map(({ userId, tokenId, title, body, seq }) => [userId, tokenId, title, body, seq]),
      having.map((userId) => [userId, `t-fcm-${userId}`, "Alice", "hi", 7n]),
    );
    assert.equal(store.decided.length, 0);
  });

  it("has a bounded number under way", async () => {
    const { dispatch, queued, register, counts } = setup();
    for (const userId of users(100)) await register(userId);
    await dispatch.handle({ userIds: users(100), record });
    assert.equal(queued.length, 100);
    assert.equal(counts.most, 16);
  });

  it("goes on where it failed, and queues nothing twice", async () => {
    const { dispatch, queued, register, limits } = setup();
    for (const userId of users(600)) await register(userId);
    limits.fail = 510;
    await assert.rejects(dispatch.handle({ userIds: users(600), record }), /no answer/);
    assert.equal(queued.length, 510);
    limits.fail = Number.POSITIVE_INFINITY;
    await dispatch.handle({ userIds: users(600), record });
    assert.deepEqual(queued.map(({ userId }) => userId).sort(), users(600).sort());
  });

  it("notes whose provider is not there, and tells the others", async () => {
    const { dispatch, store, queued, register } = setup();
    await register("user-1", "apns");
    await register("user-2");
    await dispatch.handle({ userIds: users(3), record });
    assert.deepEqual(
      queued.map(({ userId }) => userId),
      ["user-2"],
    );
    assert.deepEqual(
      store.decided.map(({ userId, decision }) => `${userId} ${decision}`),
      ["user-1 provider_not_configured"],
    );
  });
});

describe("a notice for users whose gateway has gone", () => {
  it("tells those who have not come back since the record was accepted", async () => {
    const { dispatch, store, queued, register, asked, back } = setup();
    for (const userId of users(4)) await register(userId);
    back.set("user-1", 2_000); // the very moment
    back.set("user-2", 1_999); // where the record was not written to
    const accepted = { ...record, acceptedTime: timestampFromMs(2_000) };
    await dispatch.handle({ userIds: users(5), record: accepted, unlessBack: true });
    assert.deepEqual(
      queued.map(({ userId }) => userId),
      ["user-0", "user-2", "user-3"],
    );
    assert.deepEqual(
      store.decided.map(({ userId, decision }) => `${userId} ${decision}`),
      ["user-1 connected"],
    );
    assert.deepEqual(asked, [4], "of those who have a device");
  });

  it("asks nobody about the others", async () => {
    const { dispatch, queued, register, asked, back } = setup();
    await register("user-1");
    back.set("user-1", 5_000);
    await dispatch.handle({ userIds: users(5), record });
    assert.deepEqual([queued.length, asked], [1, []]);
  });
});

describe("a user who is named by two tasks of a record", () => {
  it("gets one notification, also when the queue has forgotten the first", async () => {
    const { dispatch, store, queued, ids, register } = setup();
    await register("user-1");
    const sent: PushNotification[] = [];
    const sender = createSender({
      store,
      maxAttempts: 3,
      now: () => 1,
      provider: {
        name: "fcm",
        send: async (_token, notification) => {
          sent.push(notification);
          return { kind: "sent", providerMessageId: "m" };
        },
        close: async () => {},
      },
    });
    await dispatch.handle({ userIds: users(10), record });
    await dispatch.handle({ userIds: ["user-1"], record });
    assert.equal(queued.length, 1, "the queue knows it");
    ids.clear(); // its window is over
    await dispatch.handle({ userIds: ["user-1"], record });
    assert.equal(queued.length, 2);
    for (const task of queued) await sender.handle(task, 0);
    assert.equal(sent.length, 1, "the sender knows it");
  });
});
