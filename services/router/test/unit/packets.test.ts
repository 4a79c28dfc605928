import assert from "node:assert/strict";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { shared } from "@oceanchat/runtime/fail";
import { errorEvent, readPacket, writePacket } from "../../src/core/packets.ts";
import { binary, json, readAnswer, sendToGroup, text } from "../support/packets.ts";

function refusalOf(codec: Codec, payload: Uint8Array) {
  const reading = readPacket(codec, payload);
  assert.ok("refusal" in reading, "the packet was read");
  return { requestId: reading.requestId, reason: reading.refusal.reason, message: reading.refusal.message };
}

describe("readPacket, binary", () => {
  it("reads a packet", () => {
    const reading = readPacket(Codec.BINARY, binary(sendToGroup(7)));
    assert.ok("command" in reading);
    assert.equal(reading.requestId, 7);
    assert.equal(reading.command.case, "sendMessage");
  });

  it("takes an unspecified codec for binary", () => {
    assert.ok("command" in readPacket(Codec.UNSPECIFIED, binary(sendToGroup(7))));
  });

  it("refuses bytes that are no packet", () => {
    for (const bytes of [
      [0xff, 0xff],
      [0x52, 0x7f, 1],
      [0x0b, 0x0b, 0x0b],
    ]) {
      const { requestId, reason } = refusalOf(Codec.BINARY, Uint8Array.from(bytes));
      assert.deepEqual({ requestId, reason }, { requestId: 0, reason: "ERROR_REASON_MALFORMED" });
    }
  });

  it("refuses a message in a message in a message …", () => {
    const deep = new Uint8Array(60_000).fill(0x53); // 60,000 groups of field 10, never closed
    assert.equal(refusalOf(Codec.BINARY, deep).reason, "ERROR_REASON_MALFORMED");
  });

  it("names the number of a command that it doesn't know", () => {
    const refusal = refusalOf(Codec.BINARY, Uint8Array.from([0x08, 5, 0xf2, 0x01, 0]));
    assert.equal(refusal.requestId, 5);
    assert.equal(refusal.reason, "ERROR_REASON_UNIMPLEMENTED");
    assert.match(refusal.message, /number 30/);
  });

  it("refuses a packet without command", () => {
    assert.equal(refusalOf(Codec.BINARY, binary({ requestId: 9 })).reason, "ERROR_REASON_MALFORMED");
  });
});

describe("readPacket, JSON", () => {
  it("reads a packet", () => {
    const reading = readPacket(Codec.JSON, json(sendToGroup(7)));
    assert.ok("command" in reading);
    assert.equal(reading.requestId, 7);
    assert.equal(reading.command.case, "sendMessage");
  });

  it("names a command that it doesn't know, and the request", () => {
    for (const packet of ['{"requestId":8,"dance":{}}', '{"request_id":"8","dance":{}}']) {
      const refusal = refusalOf(Codec.JSON, text(packet));
      assert.equal(refusal.requestId, 8);
      assert.equal(refusal.reason, "ERROR_REASON_UNIMPLEMENTED");
      assert.match(refusal.message, /dance/);
    }
  });

  it("names a field that it doesn't know, and the request", () => {
    const refusal = refusalOf(Codec.JSON, text('{"requestId":8,"typing":{"fast":true}}'));
    assert.equal(refusal.requestId, 8);
    assert.equal(refusal.reason, "ERROR_REASON_MALFORMED");
    assert.match(refusal.message, /"fast"/);
  });

  for (const [what, packet] of [
    ["no JSON", "{"],
    ["a number", "7"],
    ["null", "null"],
    ["a list", "[]"],
    ["nothing", "{}"],
    ["two commands", '{"typing":{},"confirm":{}}'],
    ["a value of another type", '{"requestId":1,"typing":{"active":"yes"}}'],
    ["a request id out of range", '{"requestId":-1,"typing":{}}'],
    ["brackets for ever", "[".repeat(60_000)],
    ["lists for ever", `{"typing":${"[".repeat(20_000)}${"]".repeat(20_000)}}`],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.equal(refusalOf(Codec.JSON, text(packet)).reason, "ERROR_REASON_MALFORMED");
    });
  }

  it("refuses bytes that are not UTF-8", () => {
    assert.equal(refusalOf(Codec.JSON, Uint8Array.from([0x22, 0xff, 0x22])).reason, "ERROR_REASON_MALFORMED");
  });

  it("lets no key reach a prototype", () => {
    assert.equal(refusalOf(Codec.JSON, text('{"__proto__":{"polluted":1}}')).reason, "ERROR_REASON_UNIMPLEMENTED");
    refusalOf(Codec.JSON, text('{"typing":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}'));
    assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
  });

  it("doesn't send a long text back", () => {
    const refusal = refusalOf(Codec.JSON, text(`{"${"x".repeat(60_000)}":{}}`));
    assert.ok(refusal.message.length < 300);
  });
});

describe("writePacket", () => {
  const error = shared.rateLimited(1_500);

  for (const codec of [Codec.BINARY, Codec.JSON]) {
    it(`writes an error in codec ${codec}`, () => {
      const event = { case: "error" as const, value: errorEvent(3, error) };
      const packet = readAnswer(writePacket(codec, 3, event), codec);
      assert.equal(packet.requestId, 3);
      assert.ok(packet.event.case === "error");
      const { requestId, code, reason, domain, retryAfter } = packet.event.value;
      assert.deepEqual(
        { requestId, code, reason, domain },
        { requestId: 3, code: 8, reason: "ERROR_REASON_RATE_LIMITED", domain: "oceanchat" },
      );
      assert.equal(retryAfter?.seconds, 1n);
      assert.equal(retryAfter?.nanos, 500_000_000);
    });
  }

  it("writes zeros in JSON", () => {
    const bytes = writePacket(Codec.JSON, 0, { case: "error", value: errorEvent(0, shared.malformed("no")) });
    assert.match(new TextDecoder().decode(bytes), /^\{"requestId":0,"error":\{"requestId":0,/);
  });

  it("names fields in the metadata, but not thousands", () => {
    const many = Array.from({ length: 1_000 }, (_, i) => ({ field: `users[${i}]`, description: "is wrong" }));
    const event = errorEvent(1, shared.invalidFields(many));
    assert.equal(event.metadata["field.users[0]"], "is wrong");
    assert.equal(Object.keys(event.metadata).length, 20);
    assert.ok(event.message.length <= 4_000);
  });
});
