import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { CommandResultSchema as PresenceResultSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { shared } from "@oceanchat/runtime/fail";
import { Unanswered } from "@oceanchat/runtime/unanswered";
import { accepted, conversationId, routerWith, shown } from "../support/core.ts";
import {
  ALICE,
  binary,
  errorOf,
  GROUP,
  json,
  type Packet,
  readAnswer,
  sendToGroup,
  uplink,
} from "../support/packets.ts";

const command = (name: "editMessage" | "recallMessage" | "react" | "markRead" | "typing" | "confirm"): Packet => {
  const recordId = GROUP;
  const content = { kind: { case: "text" as const, value: { text: "hi" } } };
  const values = {
    editMessage: { conversationId, recordId, clientMessageId: recordId, content },
    recallMessage: { conversationId, recordId },
    react: { conversationId, recordId, emoji: "🐋" },
    markRead: { conversationId, seq: 4n },
    typing: { conversationId, active: true },
    confirm: { conversationId, seq: 4n },
  };
  return { requestId: 5, command: { case: name, value: values[name] } as NonNullable<Packet["command"]> };
};

/** No answer came; the service has not said that itself. */
const away = () => shared.unavailable("away", new Unanswered("lost"));

const subscribe: Packet = { requestId: 6, command: { case: "subscribePresence", value: { userIds: [GROUP] } } };
const setStatus: Packet = { requestId: 6, command: { case: "setStatus", value: { status: 2 } } };

describe("exchange", () => {
  for (const [codec, write] of [
    [Codec.BINARY, binary],
    [Codec.JSON, json],
  ] as const) {
    it(`answers a message in its codec (${codec})`, async () => {
      const { exchange, dispatched } = routerWith();
      const { requestId, event } = readAnswer((await exchange(uplink(write(sendToGroup(7)), codec))).payload, codec);
      assert.equal(requestId, 7);
      assert.ok(event.case === "messageAccepted");
      assert.equal(event.value.seq, 3n);
      assert.equal(event.value.duplicate, true);
      const [dispatch] = dispatched;
      assert.deepEqual(dispatch?.sender, { userId: ALICE, sessionId: "s-1", deviceId: "d-1" });
      assert.equal(dispatch?.key, conversationId);
    });
  }

  for (const name of ["editMessage", "recallMessage", "react"] as const) {
    it(`answers ${name} with messageAccepted`, async () => {
      const { send } = routerWith();
      const { requestId, event } = readAnswer(await send(command(name)));
      assert.deepEqual([requestId, event.case], [5, "messageAccepted"]);
    });
  }

  it("answers markRead with done", async () => {
    const { send } = routerWith(() => ({ case: "done", value: {} }));
    const { requestId, event } = readAnswer(await send(command("markRead")));
    assert.deepEqual([requestId, event.case], [5, "done"]);
  });

  for (const name of ["typing", "confirm"] as const) {
    it(`answers ${name} only when it fails`, async () => {
      assert.equal((await routerWith(() => ({ case: "done", value: {} })).send(command(name))).length, 0);
      const { send } = routerWith(() => Promise.reject(shared.unavailable("away")));
      assert.equal(errorOf(await send(command(name))).reason, "ERROR_REASON_UNAVAILABLE");
    });
  }

  it("answers sync with a page of query's, whatever is the matter with message", async () => {
    const { send, asked, dispatched } = routerWith(() => Promise.reject(away()));
    for (let i = 0; i < 3; i++) await send(sendToGroup(1));
    const { requestId, event } = readAnswer(
      await send({ requestId: 8, command: { case: "sync", value: { cursor: "last", pageSize: 7 } } }),
    );
    assert.deepEqual([requestId, event.case], [8, "syncPage"]);
    assert.ok(event.case === "syncPage" && event.value.cursor === "next" && event.value.hasMore);
    assert.equal(dispatched.length, 3);
    const [{ command, sender, key } = {}] = asked;
    assert.ok(command?.case === "sync");
    assert.deepEqual([command.value.cursor, command.value.pageSize, sender?.userId, key], ["last", 7, ALICE, ALICE]);
  });

  it("leaves query alone after failures in a row, and message not", async () => {
    const { send } = routerWith(undefined, () => {
      throw away();
    });
    const sync: Packet = { requestId: 8, command: { case: "sync", value: {} } };
    for (let i = 0; i < 3; i++) assert.match(errorOf(await send(sync)).message, /away/);
    assert.match(errorOf(await send(sync)).message, /query does not answer/);
    assert.equal(readAnswer(await send(sendToGroup(1))).event.case, "messageAccepted");
  });

  it("has presence watch users for a connection, and the gateway keep what presence wants kept", async () => {
    const { answer, watched, dispatched } = routerWith();
    const { payload, keep } = await answer(subscribe);
    const { requestId, event } = readAnswer(payload);
    assert.ok(event.case === "presence");
    assert.deepEqual([requestId, event.value.presences[0]?.userId, keep], [6, GROUP, shown.keep]);
    const [{ command, sender, connection, key } = {}] = watched;
    assert.ok(command?.case === "subscribePresence");
    assert.deepEqual([command.value.userIds, sender?.userId, key], [[GROUP], ALICE, ALICE]);
    assert.deepEqual(connection, { connectionId: "c_1", gatewayId: "g-1", codec: Codec.BINARY });
    assert.equal(dispatched.length, 0);
  });

  it("answers setStatus with done, and asks the gateway to keep nothing then", async () => {
    const { answer, presences } = routerWith();
    presences.answer = () => create(PresenceResultSchema, { result: { case: "done", value: {} } });
    const { payload, keep } = await answer(setStatus);
    assert.deepEqual([readAnswer(payload).event.case, keep], ["done", undefined]);
  });

  it("leaves presence alone after failures in a row, and the others not", async () => {
    const { send, presences } = routerWith();
    presences.answer = () => {
      throw away();
    };
    for (let i = 0; i < 3; i++) assert.match(errorOf(await send(subscribe)).message, /away/);
    assert.match(errorOf(await send(setStatus)).message, /presence does not answer/);
    assert.equal(readAnswer(await send(sendToGroup(1))).event.case, "messageAccepted");
    assert.equal(readAnswer(await send({ requestId: 8, command: { case: "sync", value: {} } })).event.case, "syncPage");
  });

  it("refuses to connect again", async () => {
    const { send } = routerWith();
    const error = errorOf(await send({ requestId: 6, command: { case: "connect", value: { accessToken: "x" } } }));
    assert.equal(error.reason, "ERROR_REASON_MALFORMED");
  });

  it("names fields that break their rules and asks nobody", async () => {
    const { send, dispatched } = routerWith();
    const error = errorOf(
      await send({ requestId: 2, command: { case: "sendMessage", value: { clientMessageId: "x" } } }),
    );
    assert.deepEqual([error.requestId, error.code, error.reason], [2, 3, "ERROR_REASON_INVALID_FIELD"]);
    assert.equal(error.metadata["field.client_message_id"], "must be a valid UUID");
    assert.ok("field.target" in error.metadata);
    assert.equal(dispatched.length, 0);
  });

  it("limits each user, says when to go on, and counts what it can't read too", async () => {
    const { exchange, send, clock } = routerWith();
    for (let i = 0; i < 199; i++) await send(sendToGroup(1));
    assert.equal(errorOf((await exchange(uplink(Uint8Array.of(0xff)))).payload).reason, "ERROR_REASON_MALFORMED");
    const error = errorOf(await send(sendToGroup(9)));
    assert.deepEqual([error.requestId, error.code, error.reason], [9, 8, "ERROR_REASON_RATE_LIMITED"]);
    assert.equal(error.retryAfter?.nanos, 10_000_000);
    clock.nowMs = 10;
    assert.equal(readAnswer(await send(sendToGroup(9))).event.case, "messageAccepted");
  });

  it("passes on what message refuses, word for word", async () => {
    const refusal = shared.idempotencyMismatch();
    const { send, defects } = routerWith(() => Promise.reject(refusal));
    const error = errorOf(await send(sendToGroup(4)));
    assert.deepEqual(
      [error.requestId, error.code, error.reason, error.domain, error.message],
      [4, refusal.code, refusal.reason, refusal.domain, refusal.message],
    );
    assert.equal(defects.length, 0);
  });

  it("tells a defect without its cause", async () => {
    const { send, defects } = routerWith(() => Promise.reject(new Error("secret of the house")));
    const error = errorOf(await send(sendToGroup(4)));
    assert.deepEqual([error.requestId, error.reason], [4, "ERROR_REASON_INTERNAL"]);
    assert.doesNotMatch(error.message, /secret/);
    assert.match(String(defects[0]), /secret/);
  });

  it("takes an answer of the wrong kind for a defect", async () => {
    const { send, defects } = routerWith(() => ({ case: "done", value: {} }));
    assert.equal(errorOf(await send(sendToGroup(4))).reason, "ERROR_REASON_INTERNAL");
    assert.equal(defects.length, 1);
  });

  it("leaves message alone after failures in a row, then tries again", async () => {
    let up = false;
    const { send, dispatched, clock } = routerWith(() => (up ? accepted : Promise.reject(away())));
    for (let i = 0; i < 3; i++) await send(sendToGroup(1));
    clock.nowMs = 100;
    const error = errorOf(await send(sendToGroup(1)));
    assert.equal(error.reason, "ERROR_REASON_UNAVAILABLE");
    assert.equal(error.retryAfter?.nanos, 900_000_000);
    assert.equal(dispatched.length, 3);
    up = true;
    clock.nowMs = 1_000;
    assert.equal(readAnswer(await send(sendToGroup(1))).event.case, "messageAccepted");
    assert.equal(readAnswer(await send(sendToGroup(1))).event.case, "messageAccepted");
  });

  for (const [what, error] of [
    ["refuses", shared.idempotencyMismatch()],
    ["says itself that it can't", shared.unavailable("nobody to ask for permission")],
    ["says itself that it doesn't know", shared.outcomeUnknown("it may be stored")],
    ["is too slow, but answers others", shared.outcomeUnknown("it did not answer", new Unanswered("busy"))],
    ["has too much to do", shared.overloaded("too much to do")],
  ] as const) {
    it(`doesn't leave a service alone that ${what}`, async () => {
      const { send, dispatched } = routerWith(() => Promise.reject(error));
      for (let i = 0; i < 10; i++) assert.equal(errorOf(await send(sendToGroup(1))).reason, error.reason);
      assert.equal(dispatched.length, 10);
    });
  }

  it("hands packets over in the order in which they came", () => {
    const { exchange, dispatched } = routerWith(() => new Promise(() => undefined));
    for (let i = 0; i < 20; i++) void exchange(uplink(binary(sendToGroup(i, `text ${i}`))));
    const texts = dispatched.map(({ command: { value } }) =>
      "content" in value && value.content?.kind.case === "text" ? value.content.kind.value.text : "",
    );
    assert.deepEqual(
      texts,
      Array.from({ length: 20 }, (_, i) => `text ${i}`),
    );
  });
});
