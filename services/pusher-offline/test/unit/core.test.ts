import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { type SendTask, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { createDispatch } from "../../src/core/dispatch.ts";
import { previewOf } from "../../src/core/notification.ts";
import { createSender } from "../../src/core/send.ts";
import { createPushCore } from "../../src/core.ts";
import type { ProviderName, PushNotification, SendOutcome } from "../../src/ports.ts";
import { MemoryStore } from "../support/memory-store.ts";

const configured = new Set<ProviderName>(["fcm", "apns"]);
const caller = (userId: string, deviceId: string) => ({ userId, deviceId });

describe("registration", () => {
  it("moves a token that another user holds", async () => {
    const store = new MemoryStore();
    const core = createPushCore({ store, configured, now: () => 1 });
    await core.register(caller("alice", "phone"), "fcm", "t");
    await core.register(caller("bob", "phone"), "fcm", "t");
    assert.deepEqual(await core.list("alice"), []);
    assert.equal((await core.list("bob")).length, 1);
  });

  it("keeps one token per device and provider, and 20 in all", async () => {
    const store = new MemoryStore();
    const core = createPushCore({ store, configured, now: () => 1 });
    await core.register(caller("alice", "d0"), "fcm", "old");
    for (let index = 0; index < 20; index++) await core.register(caller("alice", `d${index}`), "fcm", `t${index}`);
    assert.equal((await core.list("alice")).length, 20);
    await assert.rejects(core.register(caller("alice", "d20"), "fcm", "t20"), {
      reason: "ERROR_REASON_TOO_MANY_TOKENS",
    });
    await core.register(caller("alice", "d19"), "fcm", "renewed");
  });

  it("refuses a provider that is not configured, and lets only the holder remove", async () => {
    const store = new MemoryStore();
    const core = createPushCore({ store, configured, now: () => 1 });
    await assert.rejects(core.register(caller("alice", "d"), "webhook", "t"), {
      reason: "ERROR_REASON_PROVIDER_NOT_CONFIGURED",
    });
    const { tokenId } = await core.register(caller("alice", "d"), "fcm", "t");
    await core.remove("bob", tokenId);
    assert.equal((await core.list("alice")).length, 1);
    await core.remove("alice", tokenId);
    assert.deepEqual(
      (await core.explain("alice", "r")).map(({ decision }) => decision),
      ["no_token"],
    );
  });
});

describe("the decision whom to tell", () => {
  const offline = (kind: "message" | "recall", userIds: readonly string[] = ["bob"]) => ({
    userIds,
    record: create(RecordSchema, {
      recordId: "r1",
      conversationId: "c",
      seq: 7n,
      senderUserId: "alice",
      body:
        kind === "recall"
          ? { case: "recall", value: { targetSeq: 1n } }
          : { case: "message", value: { content: { kind: { case: "text", value: { text: "hi" } } } } },
    }),
  });

  it("makes one task per device, with what to show", async () => {
    const store = new MemoryStore();
    const core = createPushCore({ store, configured, now: () => 1 });
    await core.register(caller("bob", "phone"), "fcm", "f");
    await core.register(caller("bob", "tablet"), "apns", "a");
    const queued: [ProviderName, SendTask][] = [];
    const dispatch = createDispatch({
      store,
      configured,
      now: () => 1,
      queue: { enqueue: async (provider, task) => void queued.push([provider, task]) },
      peers: { signingKeys: async () => [], connectedSince: async () => new Set(), displayName: async () => "Alice" },
    });
    await dispatch.handle(offline("message"));
    assert.deepEqual(queued.map(([provider]) => provider).sort(), ["apns", "fcm"]);
    for (const [, task] of queued) {
      assert.equal(task.title, "Alice");
      assert.equal(task.body, "hi");
      assert.equal(task.seq, 7n);
    }
    await dispatch.handle(offline("recall"));
    assert.equal(queued.length, 2, "only messages are told");
  });

  it("tells of a record that was too large to travel, without a preview", async () => {
    const store = new MemoryStore();
    await createPushCore({ store, configured, now: () => 1 }).register(caller("bob", "phone"), "fcm", "f");
    const queued: SendTask[] = [];
    const dispatch = createDispatch({
      store,
      configured,
      now: () => 1,
      queue: { enqueue: async (_provider, task) => void queued.push(task) },
      peers: { signingKeys: async () => [], connectedSince: async () => new Set(), displayName: async () => "Alice" },
    });
    const task = offline("message");
    task.record.body = { case: undefined };
    await dispatch.handle(task);
    assert.deepEqual(
      queued.map(({ body }) => body),
      ["New message"],
    );
  });

  it("shows what a message is when it is no text, and cuts no emoji in two", () => {
    assert.equal(previewOf(undefined), "New message");
    const long = previewOf({
      $typeName: "oceanchat.records.v1.Content",
      kind: {
        case: "text",
        value: { $typeName: "oceanchat.records.v1.TextContent", text: "👋".repeat(500), entities: [] },
      },
    });
    assert.equal(long, `${"👋".repeat(239)}…`);
  });
});

describe("the sender", () => {
  const task = create(SendTaskSchema, { userId: "bob", deviceId: "phone", tokenId: "t", recordId: "r", seq: 1n });
  const make = (outcomes: SendOutcome[]) => {
    const store = new MemoryStore();
    const token = {
      tokenId: "t",
      userId: "bob",
      deviceId: "phone",
      provider: "fcm" as const,
      token: "secret",
      createdAtMs: 5,
    };
    store.tokens.set("t", token);
    const sent: PushNotification[] = [];
    let now = 100;
    const sender = createSender({
      store,
      maxAttempts: 3,
      now: () => now,
      provider: {
        name: "fcm",
        send: async (_token, notification) => {
          sent.push(notification);
          return outcomes.shift() ?? { kind: "sent", providerMessageId: "m" };
        },
        close: async () => {},
      },
    });
    const decision = () => store.decided.at(-1)?.decision;
    const pass = (ms: number) => {
      now += ms;
    };
    return { store, sender, sent, decision, pass };
  };

  it("sends once, however often it is asked", async () => {
    const { sender, sent, decision } = make([]);
    assert.equal(await sender.handle(task, 0), "done");
    assert.equal(await sender.handle(task, 0), "done");
    assert.equal(sent.length, 1);
    assert.equal(decision(), "sent");
  });

  it("repeats with the same ids what a crash left in the middle", async () => {
    const { sender, sent, store } = make([]);
    const about = { recordId: "r", tokenId: "t", userId: "bob", deviceId: "phone", detail: "", decidedAtMs: 1 };
    await store.claim({ ...about, decision: "sending" });
    await sender.handle(task, 0);
    assert.deepEqual(
      sent.map(({ collapseId }) => collapseId),
      ["r"],
    );
  });

  it("sends nothing to a token that has gone to somebody else", async () => {
    const { sender, sent, store, decision } = make([]);
    store.tokens.delete("t");
    assert.equal(await sender.handle(task, 0), "done");
    assert.equal(sent.length, 0);
    assert.equal(decision(), "token_gone");
  });

  it("removes an invalid token, unless it was registered again since", async () => {
    const first = make([{ kind: "invalid-token", since: 4 }]);
    await first.sender.handle(task, 0);
    assert.equal(first.store.tokens.size, 1);
    const second = make([{ kind: "invalid-token", since: 5 }]);
    await second.sender.handle(task, 0);
    assert.equal(second.store.tokens.size, 0);
    assert.equal(second.decision(), "invalid_token");
  });

  it("tries again with growing pauses, then gives up for good", async () => {
    const failure: SendOutcome = { kind: "retry", scope: "device", reason: "quota" };
    const { sender, decision } = make([failure, failure, failure]);
    assert.deepEqual(await sender.handle(task, 0), { retryAfterMs: 1_000 });
    assert.deepEqual(await sender.handle(task, 1), { retryAfterMs: 2_000 });
    assert.deepEqual(await sender.handle(task, 2), { dead: "fcm: quota" });
    assert.equal(decision(), "given_up");
  });

  it("asks a provider that fails for everyone no more until its pause is over", async () => {
    const failure: SendOutcome = { kind: "retry", scope: "provider", reason: "503" };
    const { sender, sent, pass } = make([failure, failure, failure, failure, failure]);
    for (let index = 0; index < 5; index++) await sender.handle({ ...task, recordId: `r${index}` }, 0);
    assert.equal(sent.length, 5);
    const waiting = await sender.handle({ ...task, recordId: "r5" }, 99);
    assert.ok(typeof waiting === "object" && "retryAfterMs" in waiting, "waiting is no attempt");
    assert.equal(sent.length, 5);
    pass(1_000);
    assert.equal(await sender.handle({ ...task, recordId: "r5" }, 0), "done");
  });
});
