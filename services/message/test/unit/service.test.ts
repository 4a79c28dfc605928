import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { CallContext } from "@oceanchat/runtime/handlers";
import { noTracing } from "@oceanchat/runtime/trace";
import { createMessageCore } from "../../src/core.ts";
import { messageHandlers, messageMeshHandlers } from "../../src/service.ts";
import { FakeClock, FakePeers, FakeStore, reason, saying, uuid } from "../support/fakes.ts";
import { ModelStream } from "../support/model-stream.ts";

const alice = uuid(1);
const request = saying("hi", { target: { case: "userId", value: uuid(2) }, clientMessageId: uuid(50) });

function setUp() {
  const stream = new ModelStream();
  const ports = {
    stream,
    store: new FakeStore(),
    peers: new FakePeers(),
    clock: new FakeClock(),
    newId: () => uuid(60),
  };
  const core = createMessageCore(ports, { appendMs: 5000, recordBytes: 32_768 });
  return { stream, open: messageHandlers(core), mesh: messageMeshHandlers(core, noTracing) };
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

  for (const name of ["editMessage", "recallMessage", "react", "markRead", "typing", "confirm"]) {
    it(`answers ${name} with UNIMPLEMENTED`, async () => {
      await assert.rejects(dispatch({ sender, command: { case: name, value: {} } }), reason("UNIMPLEMENTED"));
    });
  }

  it("answers an unknown command with UNIMPLEMENTED, one without a sender with MALFORMED", async () => {
    await assert.rejects(dispatch({ sender }), reason("UNIMPLEMENTED"));
    await assert.rejects(dispatch({ command: { case: "sendMessage", value: request } }), reason("MALFORMED"));
  });
});
