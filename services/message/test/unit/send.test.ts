import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import {
  AppendConversationRecordRequestSchema,
  AppendUserRecordRequestSchema,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { TextEntitySchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { shared } from "@oceanchat/runtime/fail";
import { createMessageCore } from "../../src/core.ts";
import { fakeSignals } from "../support/fake-signals.ts";
import { FakeClock, FakePeers, FakeStore, gate, reason, SETTINGS, saying, uuid } from "../support/fakes.ts";
import { ModelStream } from "../support/model-stream.ts";

const [alice, bob, team] = [uuid(1), uuid(2), uuid(9)];
const toTeam = { case: "groupId", value: team } as const;
const toBob = { case: "userId", value: bob } as const;
const sender = { userId: alice, deviceId: "phone" };

let ids = 5000;

function setUp(stream = new ModelStream()) {
  const store = new FakeStore();
  const peers = new FakePeers();
  const clock = new FakeClock();
  const newId = () => uuid(++ids);
  const core = createMessageCore({ stream, store, peers, clock, newId, ...fakeSignals() }, SETTINGS);
  return { stream, store, peers, clock, core };
}

describe("sending a message", () => {
  it("stores what was said, by whom, with which device", async () => {
    const { core, stream, clock } = setUp();
    const request = saying("hi", { target: toTeam, clientMessageId: uuid(50) });
    const { record, duplicate } = await core.send(sender, request, "");
    assert.equal(duplicate, false);
    const { conversationId, recordId, seq, senderUserId, senderDeviceId, acceptedTime, body } = record;
    assert.deepEqual([conversationId, seq, senderUserId, senderDeviceId], [`g_${team}`, 1n, alice, "phone"]);
    assert.equal(recordId, uuid(ids));
    assert.equal(acceptedTime?.seconds, BigInt(clock.ms / 1000));
    assert.ok(body.case === "message");
    assert.equal(body.value.clientMessageId, uuid(50));
    assert.deepEqual(body.value.content, request.content);
    assert.deepEqual(stream.recordsOf(`g_${team}`), [record]);
    assert.equal(stream.stored[0]?.messageId, `${alice}:${uuid(50)}`);
  });

  it("takes the mentions from the text's entities", async () => {
    const { core, peers } = setUp();
    const request = saying("@b @all", { target: toTeam, clientMessageId: uuid(50) });
    assert.ok(request.content?.kind.case === "text");
    request.content.kind.value.entities = [
      create(TextEntitySchema, { offset: 0, length: 2, kind: { case: "mention", value: { userId: bob } } }),
      create(TextEntitySchema, { offset: 3, length: 4, kind: { case: "mentionAll", value: {} } }),
    ];
    const { body } = (await core.send(sender, request, "")).record;
    assert.ok(body.case === "message");
    assert.deepEqual([body.value.mentions, body.value.mentionsAll], [[bob], true]);
    assert.deepEqual(peers.asked, [`${team} ${alice} true`]);
  });

  it("is one message for a key in upper and lower case", async () => {
    const { core } = setUp();
    const key = "abcdef00-0000-7000-8000-00000000000a";
    const first = await core.send(sender, saying("hi", { target: toBob, clientMessageId: key }), "");
    const upper = saying("hi", { target: toBob, clientMessageId: key.toUpperCase() });
    const again = await core.send({ ...sender, userId: alice.toUpperCase() }, upper, "");
    assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
  });

  it("asks the owner of the rule first; nothing is stored against its word or without it", async () => {
    const { core, stream, peers } = setUp();
    peers.send = SendVerdict.MUTED;
    const request = saying("hi", { target: toTeam, clientMessageId: uuid(50) });
    await assert.rejects(core.send(sender, request, ""), reason("MUTED"));
    peers.error = shared.unavailable("away");
    await assert.rejects(core.send(sender, request, ""), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 0);
    peers.error = undefined;
    peers.send = SendVerdict.ALLOWED;
    assert.equal((await core.send(sender, request, "")).record.seq, 1n);
  });

  it("asks nobody about what is wrong by itself", async () => {
    const { core, peers, stream } = setUp();
    const good = { target: toTeam, clientMessageId: uuid(50) };
    await assert.rejects(core.send(sender, saying(" ", good), ""), reason("EMPTY_TEXT"));
    await assert.rejects(
      core.send(sender, saying("hi", { ...good, clientMessageId: "x y" }), ""),
      reason("INVALID_FIELD"),
    );
    const toSelf = { target: { case: "userId", value: alice } as const, clientMessageId: uuid(50) };
    await assert.rejects(core.send(sender, saying("hi", toSelf), ""), reason("SELF"));
    await assert.rejects(core.send({ ...sender, userId: "a.b" }, saying("hi", good), ""), reason("INVALID_FIELD"));
    assert.deepEqual([peers.asked, stream.stored, stream.calls], [[], [], []]);
  });

  it("keeps the order in which messages arrive, whatever has to be asked for each", async () => {
    const { core, stream, peers } = setUp();
    const { opened, open } = gate();
    peers.turn = () => opened;
    const text = (clientMessageId: string, attempt = 1) =>
      core.send(sender, saying("hi", { target: toTeam, clientMessageId, attempt }), "");
    const all = [text(uuid(51), 2), text(uuid(52)), text(uuid(53), 2), text(uuid(54))];
    open();
    await Promise.all(all);
    const keys = stream.recordsOf(`g_${team}`).map(({ body }) => body.case === "message" && body.value.clientMessageId);
    assert.deepEqual(keys, [uuid(51), uuid(52), uuid(53), uuid(54)]);
  });
});

describe("repeating a message", () => {
  const first = { target: toTeam, clientMessageId: uuid(50) };
  const repeat = { ...first, attempt: 2 };

  it("asks the store only from the second try on", async () => {
    const { core, store } = setUp();
    await core.send(sender, saying("hi", first), "");
    assert.equal(store.reads, 1, "the head of the cold log");
    await core.send(sender, saying("hi", repeat), "");
    assert.equal(store.reads, 3);
  });

  it("finds the first in the store, however long ago, also for who may not write any more", async () => {
    const { core, store, peers, stream } = setUp();
    const { record } = await setUp().core.send(sender, saying("hi", first), "");
    store.messages.set(`${alice}:${uuid(50)}`, record);
    peers.send = SendVerdict.NOT_A_MEMBER;
    const again = await core.send(sender, saying("hi", repeat), "");
    assert.deepEqual([again.record.recordId, again.duplicate], [record.recordId, true]);
    await assert.rejects(core.send(sender, saying("other", repeat), ""), reason("IDEMPOTENCY_MISMATCH"));
    assert.equal(stream.stored.length, 0);
  });

  it("finds the first in the stream while the store is behind and the stream has forgotten the key", async () => {
    const stream = new ModelStream();
    const { core, store } = setUp(stream);
    const { record } = await core.send(sender, saying("hi", first), "");
    await core.send(sender, saying("more", { ...first, clientMessageId: uuid(51) }), "");
    const forgetful = Object.assign(new ModelStream(), { stored: [...stream.stored] });
    const later = setUp(forgetful);
    later.peers.send = SendVerdict.NOT_A_MEMBER;
    const again = await later.core.send(sender, saying("hi", repeat), "");
    assert.deepEqual([again.record.recordId, again.duplicate], [record.recordId, true]);
    assert.equal(store.heads.size, 0);
    assert.equal(forgetful.stored.length, 2);
  });

  it("reads of the stream what the store hasn't got, and what another writer may be about to store before its head", async () => {
    const { core, store, stream } = setUp();
    await core.send(sender, saying("hi", { ...first, clientMessageId: uuid(51) }), "");
    store.heads.set(`g_${team}`, { seq: 1n, streamSequence: 1 });
    const from: number[] = [];
    const read = stream.from.bind(stream);
    stream.from = async (logId, streamSequence, limit) => {
      from.push(streamSequence);
      return read(logId, streamSequence, limit);
    };
    assert.equal((await core.send(sender, saying("hi", repeat), "")).record.seq, 2n);
    store.heads.set(`g_${team}`, { seq: 1n, streamSequence: 5000 });
    await core.send(sender, saying("hi", { ...repeat, clientMessageId: uuid(52) }), "");
    assert.deepEqual(from, [1, 3001]);
  });

  it("is refused while it can't be told whether it is one", async () => {
    const { core, store, stream } = setUp();
    store.error = shared.unavailable("away");
    await assert.rejects(core.send(sender, saying("hi", repeat), ""), reason("UNAVAILABLE"));
    store.error = undefined;
    stream.from = async () => {
      throw shared.unavailable("away");
    };
    await assert.rejects(core.send(sender, saying("hi", repeat), ""), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 0);
  });

  it("is refused while the store is too far behind to tell", async () => {
    const { core, stream, store } = setUp();
    for (let n = 0; n < 3001; n++) {
      const clientMessageId = uuid(10_000 + n);
      await core.send(sender, saying("hi", { target: toTeam, clientMessageId }), "");
    }
    await assert.rejects(core.send(sender, saying("hi", repeat), ""), reason("UNAVAILABLE"));
    store.heads.set(`g_${team}`, { seq: 1n, streamSequence: 1 });
    await assert.rejects(core.send(sender, saying("hi", repeat), ""), reason("UNAVAILABLE"));
    store.heads.set(`g_${team}`, { seq: 2001n, streamSequence: 2001 });
    assert.equal((await core.send(sender, saying("hi", repeat), "")).record.seq, 3002n);
    assert.equal(stream.stored.length, 3002);
  });

  it("is a new message when there was none", async () => {
    const { core } = setUp();
    const { record, duplicate } = await core.send(sender, saying("hi", repeat), "");
    assert.deepEqual([record.seq, duplicate], [1n, false]);
  });
});

describe("appending for another service", () => {
  const membership = { senderUserId: alice, body: { case: "membership", value: { joined: [bob] } } } as const;
  const friendship = { body: { case: "friendship", value: { userId: bob, state: "friends" } } } as const;
  const toGroup = (idempotencyKey: string, record: object = membership, conversationId = `g_${team}`) =>
    create(AppendConversationRecordRequestSchema, { conversationId, idempotencyKey, record });
  const toUser = (idempotencyKey: string, record: object = friendship) =>
    create(AppendUserRecordRequestSchema, { userId: alice.toUpperCase(), idempotencyKey, record });

  it("stores a conversation's record once for its key", async () => {
    const { core, stream, peers } = setUp();
    const first = await core.appendToConversation(toGroup("join"), "");
    const again = await core.appendToConversation(toGroup("join"), "");
    assert.deepEqual([first.duplicate, again.duplicate], [false, true]);
    assert.equal(again.record.recordId, first.record.recordId);
    assert.deepEqual([first.record.seq, first.record.senderUserId], [1n, alice]);
    assert.deepEqual(stream.recordsOf(`g_${team}`), [first.record]);
    assert.equal(stream.stored[0]?.messageId, `s:g_${team}:join`);
    assert.deepEqual(peers.asked, []);
    const other = { senderUserId: alice, body: { case: "membership", value: { left: [bob] } } };
    await assert.rejects(core.appendToConversation(toGroup("join", other), ""), reason("IDEMPOTENCY_MISMATCH"));
    const elsewhere = await core.appendToConversation(toGroup("join", membership, `g_${uuid(8)}`), "");
    assert.equal(elsewhere.duplicate, false, "a key counts within its log");
  });

  it("stores a user's record in his own log", async () => {
    const { core, stream } = setUp();
    const { record } = await core.appendToUser(toUser("f"), "");
    assert.deepEqual([record.conversationId, record.senderUserId, record.seq], [`u_${alice}`, alice, 1n]);
    assert.deepEqual(stream.stored[0]?.entry.audience, { case: "userId", value: alice });
    assert.equal((await core.appendToUser(toUser("f"), "")).duplicate, true);
  });

  it("shares the order of a conversation with its messages", async () => {
    const { core } = setUp();
    await core.send(sender, saying("hi", { target: toTeam, clientMessageId: uuid(50) }), "");
    assert.equal((await core.appendToConversation(toGroup("join"), "")).record.seq, 2n);
    const next = saying("hi", { target: toTeam, clientMessageId: uuid(51) });
    assert.equal((await core.send(sender, next, "")).record.seq, 3n);
  });

  it("refuses other bodies, no sender, a bad id and a bad key", async () => {
    const { core, stream } = setUp();
    const message = { senderUserId: alice, body: { case: "message", value: {} } };
    const refused = [
      core.appendToConversation(toGroup("k", message), ""),
      core.appendToConversation(toGroup("k", friendship), ""),
      core.appendToConversation(toGroup("k", {}), ""),
      core.appendToConversation(toGroup("k", { ...membership, senderUserId: "" }), ""),
      core.appendToConversation(toGroup("k", membership, `u_${alice}`), ""),
      core.appendToConversation(toGroup("k", membership, "g_x"), ""),
      core.appendToConversation(toGroup("a b"), ""),
      core.appendToConversation(toGroup("ä"), ""),
      core.appendToUser(toUser("k", membership), ""),
      core.appendToUser(create(AppendUserRecordRequestSchema, { userId: "x", idempotencyKey: "k" }), ""),
    ];
    for (const attempt of refused) await assert.rejects(attempt, reason("INVALID_FIELD"));
    assert.equal(stream.stored.length, 0);
  });
});
