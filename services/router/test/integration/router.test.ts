import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { create } from "@bufbuild/protobuf";
import { CommandResultSchema as PresenceResultSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { openRelay } from "@oceanchat/runtime/testing-relay";
import {
  type Dispatch,
  openFakeMessage,
  openFakePresence,
  openFakeQuery,
  type RunningRouter,
  startRouter,
} from "../support/mesh.ts";
import {
  ALICE,
  binary,
  errorOf,
  GROUP,
  json,
  MESSAGE_ID,
  type Packet,
  readAnswer,
  sendToGroup,
  uplink,
} from "../support/packets.ts";

const accept: Dispatch = () => ({
  result: { case: "accepted", value: { conversationId: `g_${GROUP}`, recordId: "r-1", seq: 1n } },
});

describe("router", () => {
  let doors: MeshDoor[] = [];
  let router: RunningRouter | undefined;

  async function run(dispatches: readonly (Dispatch | undefined)[], env: Record<string, string> = {}) {
    for (const dispatch of dispatches) doors.push(await openFakeMessage(dispatch));
    router = await startRouter(
      doors.map(({ port }) => port),
      env,
    );
    const { calls } = router;
    return async (payload: Uint8Array, codec: Codec = Codec.BINARY) =>
      (await calls.call(uplink(payload, codec))).payload;
  }

  afterEach(async () => {
    await router?.stop();
    await Promise.all(doors.map((door) => door.close(0)));
    doors = [];
    router = undefined;
  });

  it("carries packets to message and answers back, in either codec", async () => {
    const exchange = await run([accept]);
    assert.equal(readAnswer(await exchange(binary(sendToGroup(3)))).event.case, "messageAccepted");
    const answer = readAnswer(await exchange(json(sendToGroup(4)), Codec.JSON), Codec.JSON);
    assert.deepEqual([answer.requestId, answer.event.case], [4, "messageAccepted"]);
  });

  it("says what it accepts, and what message does", async () => {
    await run([accept], { OCEANCHAT_USER_PACKETS_PER_SECOND: "30", OCEANCHAT_USER_PACKETS_BURST: "60" });
    const { limits } = (await router?.peers.call.getLimits({})) ?? {};
    const { maxTextBytes, maxMentions, packetsPerSecond, packetsBurst, maxFrameBytes } = limits ?? {};
    assert.deepEqual([maxTextBytes, maxMentions, packetsPerSecond, packetsBurst, maxFrameBytes], [4096, 7, 30, 60, 0]);
  });

  it("says what it accepts from programs, where that is something else", async () => {
    await run([accept], { OCEANCHAT_SERVER_PACKETS_PER_SECOND: "500", OCEANCHAT_SERVER_PACKETS_BURST: "700" });
    const { limits, ofPlatform } = (await router?.peers.call.getLimits({})) ?? {};
    const { packetsPerSecond, packetsBurst, maxTextBytes } = ofPlatform?.PLATFORM_SERVER ?? {};
    assert.deepEqual([packetsPerSecond, packetsBurst, maxTextBytes], [500, 700, 4096]);
    assert.deepEqual([limits?.packetsPerSecond, Object.keys(ofPlatform ?? {}).length], [100, 1]);
  });

  it("doesn't say what it accepts while it can't ask message", async () => {
    await run([undefined]);
    await assert.rejects(async () => router?.peers.call.getLimits({}), /./);
  });

  it("carries every command about a message to message, as its sender, and answers each in its way", async () => {
    const seen: unknown[] = [];
    const exchange = await run([
      (item, context) => {
        seen.push([item.command.case, item.sender?.userId, item.sender?.deviceId]);
        return item.command.case === "markRead" ? { result: { case: "done", value: {} } } : accept(item, context);
      },
    ]);
    const about = { conversationId: `g_${GROUP}`, recordId: MESSAGE_ID };
    const content = { kind: { case: "text", value: { text: "hi" } } } as const;
    const packets: Packet[] = [
      { requestId: 1, command: { case: "editMessage", value: { ...about, content, clientMessageId: MESSAGE_ID } } },
      { requestId: 2, command: { case: "recallMessage", value: about } },
      { requestId: 3, command: { case: "react", value: { ...about, emoji: "🐋", removed: true } } },
      { requestId: 4, command: { case: "markRead", value: { conversationId: `g_${GROUP}`, seq: 4n } } },
    ];
    const answers: unknown[] = [];
    for (const packet of packets) {
      const { requestId, event } = readAnswer(await exchange(binary(packet)));
      answers.push([requestId, event.case]);
    }
    assert.deepEqual(answers, [
      [1, "messageAccepted"],
      [2, "messageAccepted"],
      [3, "messageAccepted"],
      [4, "done"],
    ]);
    const names = ["editMessage", "recallMessage", "react", "markRead"];
    assert.deepEqual(
      seen,
      names.map((name) => [name, ALICE, "d-1"]),
    );
    const long = { requestId: 5, command: { case: "react", value: { ...about, emoji: "x".repeat(33) } } } as const;
    assert.equal(errorOf(await exchange(binary(long))).reason, "ERROR_REASON_INVALID_FIELD");
    assert.equal(seen.length, 4);
  });

  it("carries sync to query, in either codec, and says UNAVAILABLE when query is away", async () => {
    const door = await openFakeQuery(({ command, userId, deviceId }) => {
      const asked = command.case === "sync" ? command.value.cursor : "";
      return { result: { case: "syncPage", value: { cursor: `${asked} ${userId} ${deviceId}` } } };
    });
    doors.push(door);
    const exchange = await run([accept], {
      OCEANCHAT_QUERY_ADDRESSES: `127.0.0.1:${door.port}`,
      OCEANCHAT_DISPATCH_TIMEOUT_MS: "2000",
    });
    const packet: Packet = { requestId: 9, command: { case: "sync", value: { cursor: "c" } } };
    for (const [codec, write] of [
      [Codec.BINARY, binary],
      [Codec.JSON, json],
    ] as const) {
      const { requestId, event } = readAnswer(await exchange(write(packet), codec), codec);
      assert.equal(requestId, 9);
      assert.ok(event.case === "syncPage");
      assert.equal(event.value.cursor, `c ${ALICE} d-1`);
    }
    const long: Packet = { requestId: 9, command: { case: "sync", value: { cursor: "c".repeat(5000) } } };
    assert.equal(errorOf(await exchange(binary(long))).reason, "ERROR_REASON_INVALID_FIELD");
    await door.close(0);
    assert.equal(errorOf(await exchange(binary(packet))).reason, "ERROR_REASON_UNAVAILABLE");
  });

  it("carries subscriptions and statuses to presence, and what it wants kept to the gateway", async () => {
    const keep = Uint8Array.of(1, 2, 3);
    const door = await openFakePresence(({ command, userId, connectionId, gatewayId, codec }) => {
      if (command.case === "setStatus") return create(PresenceResultSchema, { result: { case: "done", value: {} } });
      const presences = [{ userId, statusText: `${connectionId} ${gatewayId} ${codec}` }];
      return create(PresenceResultSchema, { keep, result: { case: "presence", value: { presences } } });
    });
    doors.push(door);
    await run([accept], { OCEANCHAT_PRESENCE_ADDRESSES: `127.0.0.1:${door.port}` });
    const exchange = async (packet: Packet) => {
      const reply = await router?.calls.call(uplink(json(packet), Codec.JSON));
      assert.ok(reply !== undefined);
      return { keep: reply.keep, event: readAnswer(reply.payload, Codec.JSON).event };
    };
    const subscribed = await exchange({ command: { case: "subscribePresence", value: { userIds: [] } } });
    assert.ok(subscribed.event.case === "presence");
    assert.deepEqual(
      [subscribed.event.value.presences[0]?.statusText, new Uint8Array(subscribed.keep ?? [])],
      [`c_1 g-1 ${Codec.JSON}`, keep],
    );
    const status = await exchange({ command: { case: "setStatus", value: { status: 2 } } });
    assert.deepEqual([status.event.case, status.keep], ["done", undefined]);
    const many = { userIds: Array.from({ length: 501 }, () => ALICE) };
    const refused = await exchange({ command: { case: "subscribePresence", value: many } });
    assert.ok(refused.event.case === "error" && refused.event.value.reason === "ERROR_REASON_INVALID_FIELD");
  });

  it("keeps the order of a conversation's packets", async () => {
    const texts: string[] = [];
    const exchange = await run([
      (command, context) => {
        const { value } = command.command;
        if (value !== undefined && "content" in value && value.content?.kind.case === "text") {
          texts.push(value.content.kind.value.text);
        }
        return accept(command, context);
      },
    ]);
    const wanted = Array.from({ length: 150 }, (_, i) => `text ${i}`);
    await Promise.all(wanted.map((text, i) => exchange(binary(sendToGroup(i, text)))));
    assert.deepEqual(texts, wanted);
  });

  it("answers what it can't read without ending the stream", async () => {
    const exchange = await run([accept]);
    assert.equal(errorOf(await exchange(Uint8Array.of(0xff, 1))).reason, "ERROR_REASON_MALFORMED");
    assert.equal(readAnswer(await exchange(binary(sendToGroup(3)))).event.case, "messageAccepted");
  });

  it("passes a refusal on with the request's id", async () => {
    const exchange = await run([() => Promise.reject(shared.idempotencyMismatch())]);
    const error = errorOf(await exchange(binary(sendToGroup(3))));
    assert.deepEqual([error.requestId, error.code, error.reason], [3, 6, "ERROR_REASON_IDEMPOTENCY_MISMATCH"]);
  });

  it("says UNIMPLEMENTED when message is", async () => {
    const exchange = await run([undefined]);
    assert.equal(errorOf(await exchange(binary(sendToGroup(3)))).reason, "ERROR_REASON_UNIMPLEMENTED");
  });

  it("sends again to the next instance what one didn't answer", async () => {
    const events = new EventEmitter();
    const seen: string[] = [];
    const hangOnce =
      (name: string): Dispatch =>
      (command, context) => {
        seen.push(name);
        events.emit("dispatched");
        return seen.length === 1 ? new Promise(() => undefined) : accept(command, context);
      };
    const exchange = await run([hangOnce("first"), hangOnce("second")]);
    const dispatched = once(events, "dispatched");
    const answer = exchange(binary(sendToGroup(3)));
    await dispatched;
    const index = seen[0] === "first" ? 0 : 1;
    await doors[index]?.close(0);
    assert.equal(readAnswer(await answer).event.case, "messageAccepted");
    assert.equal(new Set(seen).size, 2);
  });

  it("runs once what a gateway sends again over another stream while it is carried out", async () => {
    const events = new EventEmitter();
    const asked = Promise.withResolvers<void>();
    const seen: string[] = [];
    await run([
      async (command, context) => {
        seen.push(command.command.case ?? "");
        events.emit("dispatched");
        await asked.promise;
        return accept(command, context);
      },
    ]);
    assert.ok(router !== undefined);
    const relay = await openRelay(`http://127.0.0.1:${router.meshPort}`);
    try {
      const gateway = await router.gatewayAt(Number(new URL(relay.url).port));
      const dispatched = once(events, "dispatched");
      const answer = gateway.call(uplink(binary(sendToGroup(3))));
      await dispatched;
      relay.cut();
      relay.mend();
      // Comes behind the packet that is sent again, and is answered while that still waits.
      const behind = await gateway.call(uplink(Uint8Array.of(0xff)));
      assert.equal(errorOf(behind.payload).reason, "ERROR_REASON_MALFORMED");
      asked.resolve();
      assert.equal(readAnswer((await answer).payload).event.case, "messageAccepted");
      assert.deepEqual(seen, ["sendMessage"]);
    } finally {
      await relay.close();
    }
  });

  it("says that the outcome is unknown when message doesn't answer in time", async () => {
    const exchange = await run([() => new Promise(() => undefined)], { OCEANCHAT_DISPATCH_TIMEOUT_MS: "1500" });
    const error = errorOf(await exchange(binary(sendToGroup(3))));
    assert.deepEqual([error.requestId, error.code, error.reason], [3, 4, "ERROR_REASON_OUTCOME_UNKNOWN"]);
  });

  it("leaves message alone when it is away, and finds it again", async function () {
    this.timeout(60_000);
    const exchange = await run([accept], {
      OCEANCHAT_DISPATCH_TIMEOUT_MS: "1500",
      OCEANCHAT_BREAKER_FAILURES: "3",
      OCEANCHAT_BREAKER_OPEN_MS: "2000",
    });
    assert.equal(readAnswer(await exchange(binary(sendToGroup(1)))).event.case, "messageAccepted");
    const port = doors[0]?.port ?? 0;
    await doors[0]?.close(0);
    await Promise.all([1, 2, 3].map((id) => exchange(binary(sendToGroup(id)))));
    const startedAt = performance.now();
    const error = errorOf(await exchange(binary(sendToGroup(4))));
    assert.deepEqual([error.requestId, error.reason], [4, "ERROR_REASON_UNAVAILABLE"]);
    assert.ok(error.retryAfter !== undefined);
    assert.ok(performance.now() - startedAt < 1_400, "it waited for the timeout");
    doors = [await openFakeMessage(accept, port)];
    for (let tries = 0; tries < 150; tries++) {
      const { event } = readAnswer(await exchange(binary(sendToGroup(5))));
      if (event.case === "messageAccepted") return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail("message wasn't found again");
  });

  it("limits a user, not a gateway", async () => {
    const exchange = await run([accept], { OCEANCHAT_USER_PACKETS_BURST: "5", OCEANCHAT_USER_PACKETS_PER_SECOND: "1" });
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => exchange(binary(sendToGroup(i)))));
    const refused = answers.filter((answer) => readAnswer(answer).event.case === "error");
    assert.deepEqual(
      refused.map((answer) => errorOf(answer).reason),
      ["ERROR_REASON_RATE_LIMITED"],
    );
    const other = await router?.calls.call(uplink(binary(sendToGroup(1)), Codec.BINARY, GROUP));
    assert.equal(readAnswer(other?.payload ?? new Uint8Array(0)).event.case, "messageAccepted");
  });
});
