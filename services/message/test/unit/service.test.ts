import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CommandSchema } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import {
  ConfirmRequestSchema,
  EditMessageRequestSchema,
  MarkReadRequestSchema,
  ReactRequestSchema,
  RecallMessageRequestSchema,
  RemoveReactionRequestSchema,
  SetTypingRequestSchema,
  UpdateConversationSettingsRequestSchema,
} from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import type { CallContext } from "@oceanchat/runtime/handlers";
import { noTracing } from "@oceanchat/runtime/trace";
import { createMessageCore } from "../../src/core.ts";
import { messageHandlers, messageMeshHandlers } from "../../src/service.ts";
import { fakeSignals } from "../support/fake-signals.ts";
import { FakeClock, FakePeers, FakeStore, reason, SETTINGS, saying, uuid } from "../support/fakes.ts";
import { ModelStream } from "../support/model-stream.ts";

const alice = uuid(1);
const request = saying("hi", { target: { case: "userId", value: uuid(2) }, clientMessageId: uuid(50) });

function setUp() {
  const stream = new ModelStream();
  let ids = 60;
  const ports = {
    stream,
    store: new FakeStore(),
    peers: new FakePeers(),
    clock: new FakeClock(),
    newId: () => uuid(ids++),
    ...fakeSignals(),
  };
  const core = createMessageCore(ports, SETTINGS);
  const { signals } = ports;
  return { core, signals, stream, open: messageHandlers(core), mesh: messageMeshHandlers(core, noTracing) };
}

function contextOf(userId: string | undefined): CallContext {
  const caller = userId === undefined ? undefined : { userId, sessionId: "s", deviceId: "d", platform: "PLATFORM_WEB" };
  return { requestId: "r", caller, signal: new AbortController().signal, traceparent: "", remoteAddress: "" };
}

describe("MessageService", () => {
  it("sends as the caller of the token", async () => {
    const { open, stream } = setUp();
    const answer = await open.sendMessage?.(request, contextOf(alice));
    assert.equal(answer?.duplicate, false);
    assert.equal(stream.stored[0]?.entry.record?.senderUserId, alice);
    assert.equal(stream.stored[0]?.entry.record?.senderDeviceId, "d");
  });

  it("needs a caller", async () => {
    const { open } = setUp();
    await assert.rejects(async () => open.sendMessage?.(request, contextOf(undefined)), reason("TOKEN_INVALID"));
  });
});

describe("MessageService about a message", () => {
  it("changes it as the caller of the token", async () => {
    const { open, stream } = setUp();
    const context = contextOf(alice);
    const { record } = (await open.sendMessage?.(request, context)) ?? {};
    const about = { conversationId: record?.conversationId ?? "", recordId: record?.recordId ?? "" };
    const { content } = request;
    const edit = create(EditMessageRequestSchema, { ...about, clientMessageId: uuid(51), ...(content && { content }) });
    assert.equal((await open.editMessage?.(edit, context))?.record?.seq, 2n);
    const react = create(ReactRequestSchema, { ...about, emoji: "🐋" });
    assert.equal((await open.react?.(react, context))?.record?.seq, 3n);
    const remove = create(RemoveReactionRequestSchema, { ...about, emoji: "🐋" });
    const removed = (await open.removeReaction?.(remove, context))?.record?.body;
    assert.ok(removed?.case === "reaction" && removed.value?.removed === true);
    const recall = create(RecallMessageRequestSchema, about);
    assert.equal((await open.recallMessage?.(recall, context))?.record?.seq, 5n);
    const { conversationId } = about;
    assert.deepEqual(await open.markRead?.(create(MarkReadRequestSchema, { conversationId, seq: 5n }), context), {});
    const settings = create(UpdateConversationSettingsRequestSchema, { conversationId, pinned: true });
    const { record: changed } = (await open.updateConversationSettings?.(settings, context)) ?? {};
    assert.deepEqual([changed?.conversationId, changed?.body?.case], [`u_${alice}`, "conversationSettings"]);
    assert.deepEqual(new Set(stream.stored.map(({ entry }) => entry.record?.senderUserId)), new Set([alice]));
  });

  it("needs a caller", async () => {
    const { open } = setUp();
    const nobody = contextOf(undefined);
    for (const call of [
      async () => open.editMessage?.(create(EditMessageRequestSchema), nobody),
      async () => open.recallMessage?.(create(RecallMessageRequestSchema), nobody),
      async () => open.react?.(create(ReactRequestSchema), nobody),
      async () => open.removeReaction?.(create(RemoveReactionRequestSchema), nobody),
      async () => open.markRead?.(create(MarkReadRequestSchema), nobody),
      async () => open.setTyping?.(create(SetTypingRequestSchema), nobody),
      async () => open.confirm?.(create(ConfirmRequestSchema), nobody),
      async () => open.updateConversationSettings?.(create(UpdateConversationSettingsRequestSchema), nobody),
    ]) {
      await assert.rejects(call, reason("TOKEN_INVALID"));
    }
  });
});

describe("MessageMeshService.Dispatch", () => {
  const dispatch = async (init: object) => setUp().mesh.dispatch?.(create(CommandSchema, init), contextOf(undefined));
  const sender = { userId: alice, sessionId: "s", deviceId: "d" };

  it("answers a message with its place", async () => {
    const answer = await dispatch({ sender, command: { case: "sendMessage", value: request } });
    assert.ok(answer?.result?.case === "accepted");
    const { conversationId, recordId, seq, acceptedTime, duplicate } = answer.result.value;
    assert.deepEqual([conversationId, recordId, seq], [`d_${alice}_${uuid(2)}`, uuid(60), 1n]);
    assert.ok(acceptedTime);
    assert.equal(duplicate, false);
  });

  it("answers every command about a message with the place of its record, markRead with done", async () => {
    const { mesh, stream } = setUp();
    const answerTo = async (command: MessageInitShape<typeof CommandSchema>["command"] & object) =>
      (await mesh.dispatch?.(create(CommandSchema, { sender, command }), contextOf(undefined)))?.result;
    const sent = await answerTo({ case: "sendMessage", value: request });
    assert.ok(sent?.case === "accepted");
    const { conversationId = "", recordId = "" } = sent.value;
    const { content } = request;
    assert.ok(content);
    const about = { conversationId, recordId };
    const answers = [
      await answerTo({ case: "editMessage", value: { ...about, content, clientMessageId: uuid(51) } }),
      await answerTo({ case: "react", value: { ...about, emoji: "🐋" } }),
      await answerTo({ case: "recallMessage", value: about }),
    ];
    assert.deepEqual(
      answers.map((answer) => answer?.case === "accepted" && answer.value.seq),
      [2n, 3n, 4n],
    );
    const read = await answerTo({ case: "markRead", value: { conversationId, seq: 4n } });
    assert.equal(read?.case, "done");
    const changed = await answerTo({ case: "updateSettings", value: { conversationId, pinned: true } });
    assert.ok(changed?.case === "accepted");
    assert.deepEqual([changed.value.conversationId, changed.value.seq], [`u_${alice}`, 2n]);
    assert.deepEqual(
      stream.stored.map(({ entry }) => entry.record?.body.case),
      ["message", "edit", "reaction", "recall", "readCursor", "conversationSettings"],
    );
  });

  it("tells of typing and notes confirmations without a record", async () => {
    const { core, mesh, signals, stream } = setUp();
    const answerTo = async (command: MessageInitShape<typeof CommandSchema>["command"] & object) =>
      (await mesh.dispatch?.(create(CommandSchema, { sender, command }), contextOf(undefined)))?.result;
    const sent = await answerTo({ case: "sendMessage", value: request });
    assert.ok(sent?.case === "accepted");
    const { conversationId = "" } = sent.value;
    assert.equal((await answerTo({ case: "typing", value: { conversationId, active: true } }))?.case, "done");
    assert.equal((await answerTo({ case: "confirm", value: { conversationId, seq: 1n } }))?.case, "done");
    await core.flushDelivered();
    assert.deepEqual(signals.lines(), [`typing ${alice} true`, `receipt ${alice} 0/1`]);
    assert.equal(stream.stored.length, 1);
  });

  it("answers an unknown command with UNIMPLEMENTED, one without a sender with MALFORMED", async () => {
    await assert.rejects(dispatch({ sender }), reason("UNIMPLEMENTED"));
    await assert.rejects(dispatch({ command: { case: "sendMessage", value: request } }), reason("MALFORMED"));
  });
});
