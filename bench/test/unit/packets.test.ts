import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ClientPacketSchema,
  type ServerPacket,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { FrameReader } from "../../src/frames.ts";
import { idTail, PacketReader, type PacketSink } from "../../src/incoming.ts";
import { MessageIds } from "../../src/message-ids.ts";
import { messageOf, requestIdOf, SendTemplate } from "../../src/outgoing.ts";

const ids = new MessageIds("0123456789abcdef");
const GROUP = "g_01939c5e-7c6e-7000-8000-0123456789ab";

class Heard implements PacketSink {
  readonly events: unknown[] = [];
  message(number: number, seq: number, conversationTail: number): void {
    this.events.push({ number, seq, conversationTail });
  }
  stranger(id: string, seq: number): void {
    this.events.push({ stranger: id, seq });
  }
  accepted(requestId: number, seq: number): void {
    this.events.push({ accepted: requestId, seq });
  }
  other(packet: ServerPacket): void {
    this.events.push(packet);
  }
}

function heard(bytes: Uint8Array): unknown[] {
  const sink = new Heard();
  // Somewhere in a larger buffer, as it comes from a socket.
  const around = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([0x0a, 0xff])]);
  new PacketReader(ids.prefix).read(around, 3, 3 + bytes.length, sink);
  return sink.events;
}

/** A record with everything that one can have. */
function record(seq: bigint, clientMessageId: string) {
  return {
    conversationId: GROUP,
    seq,
    recordId: "01939c5e-7c6e-7000-8000-000000000001",
    senderUserId: "01939c5e-7c6e-7000-8000-000000000002",
    senderDeviceId: "01939c5e-7c6e-7000-8000-000000000003",
    acceptedTime: { seconds: 1_700_000_000n, nanos: 5 },
    editedTime: { seconds: 1_800_000_000n, nanos: 6 },
    reactions: [{ emoji: "🐋", count: 2 }],
    body: {
      case: "message" as const,
      value: {
        clientMessageId,
        content: { kind: { case: "text" as const, value: { text: "x".repeat(300) } } },
        mentions: ["a"],
        replyToSeq: 7n,
      },
    },
  };
}

const tail = idTail(Buffer.from(GROUP), GROUP.length);

describe("the reader of packets", () => {
  it("finds in records what the full decoder finds", () => {
    const seqs = [1n, 127n, 128n, 16_383n, 16_384n, 987_654_321n, 2n ** 40n, 2n ** 53n - 1n];
    const packet = create(ServerPacketSchema, {
      event: { case: "records", value: { records: seqs.map((seq, index) => record(seq, ids.of(index * 100_000))) } },
    });
    const bytes = toBinary(ServerPacketSchema, packet);
    const { event } = fromBinary(ServerPacketSchema, bytes);
    assert.equal(event.case, "records");
    const expected = (event.case === "records" ? event.value.records : []).map(({ body, seq, conversationId }) => ({
      number: ids.numberOf(body.case === "message" ? body.value.clientMessageId : ""),
      seq: Number(seq),
      conversationTail: idTail(Buffer.from(conversationId), conversationId.length),
    }));
    assert.deepEqual(heard(bytes), expected);
    assert.equal(expected.length, seqs.length);
  });

  it("passes over records that are no messages, and tells those of others", () => {
    const other = new MessageIds("fedcba9876543210").of(5);
    const membership = {
      conversationId: GROUP,
      seq: 2n,
      body: { case: "membership" as const, value: { joined: ["u"] } },
    };
    const packet = create(ServerPacketSchema, {
      event: { case: "records", value: { records: [membership, record(3n, other), record(4n, ids.of(9))] } },
    });
    assert.deepEqual(heard(toBinary(ServerPacketSchema, packet)), [
      { stranger: other, seq: 3 },
      { number: 9, seq: 4, conversationTail: tail },
    ]);
  });

  it("reads acks", () => {
    const value = { conversationId: GROUP, recordId: "r", seq: 300n, acceptedTime: { seconds: 1n }, duplicate: true };
    const packet = create(ServerPacketSchema, {
      requestId: requestIdOf(77),
      event: { case: "messageAccepted", value },
    });
    assert.deepEqual(heard(toBinary(ServerPacketSchema, packet)), [{ accepted: requestIdOf(77), seq: 300 }]);
    assert.equal(messageOf(requestIdOf(77)), 77);
  });

  it("hands on everything else decoded", () => {
    const packet = create(ServerPacketSchema, {
      requestId: 5,
      event: { case: "error", value: { requestId: 5, code: 8, reason: "ERROR_REASON_RATE_LIMITED" } },
    });
    assert.deepEqual(heard(toBinary(ServerPacketSchema, packet)), [packet]);
  });

  it("refuses what is cut off", () => {
    const packet = create(ServerPacketSchema, {
      event: { case: "records", value: { records: [record(1n, ids.of(1))] } },
    });
    const bytes = toBinary(ServerPacketSchema, packet);
    assert.throws(() => new PacketReader(ids.prefix).read(Buffer.from(bytes), 0, bytes.length - 4, new Heard()));
  });
});

describe("the template of a message", () => {
  it("makes the packet that the full encoder makes, in a frame that a server reads", () => {
    for (const textBytes of [1, 100, 8000]) {
      const template = new SendTemplate(GROUP, textBytes, ids);
      for (const message of [0, 1, 127, 65_536, 1_999_999]) {
        const frame = template.frame(message);
        const at = textBytes < 2 ? frame.length - payloadOf(frame) : 8;
        assert.equal(frame[0], 0x82);
        const packet = fromBinary(ClientPacketSchema, frame.subarray(at));
        const { command } = packet;
        assert.equal(packet.requestId, requestIdOf(message));
        assert.ok(command.case === "sendMessage");
        assert.equal(command.value.clientMessageId, ids.of(message));
        assert.deepEqual(command.value.target, { case: "conversationId", value: GROUP });
        assert.equal(toBinary(ClientPacketSchema, packet).length, frame.length - at);
      }
    }
  });
});

function payloadOf(frame: Buffer): number {
  const short = (frame[1] ?? 0) & 0x7f;
  return short === 126 ? frame.readUInt16BE(2) : short;
}

describe("the reader of frames", () => {
  const frames = Buffer.concat([
    Buffer.from([0x82, 3, 1, 2, 3]),
    Buffer.from([0x82, 0]),
    Buffer.concat([Buffer.from([0x82, 126, 0x01, 0x00]), Buffer.alloc(256, 7)]),
    Buffer.from([0x89, 1, 9]),
    Buffer.from([0x88, 4, 0x03, 0xf5, 0x68, 0x69]),
  ]);

  /** What comes out when the bytes come in pieces of a size. */
  function read(bytes: Buffer, size: number): string[] {
    const seen: string[] = [];
    const reader = new FrameReader({
      message: (all, start, end) => seen.push(`message ${all.subarray(start, end).toString("hex")}`),
      closing: (code, reason) => seen.push(`closing ${code} ${reason}`),
      ping: (payload) => seen.push(`ping ${payload.toString("hex")}`),
    });
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes, at, Math.min(bytes.length, at + size));
    return seen;
  }

  it("finds the same frames however they are cut", () => {
    const whole = read(frames, frames.length);
    assert.deepEqual(whole, [
      "message 010203",
      "message ",
      `message ${"07".repeat(256)}`,
      "ping 09",
      "closing 1013 hi",
    ]);
    for (const size of [1, 2, 3, 7, 100, 260]) assert.deepEqual(read(frames, size), whole);
  });

  it("refuses fragments and masked frames", () => {
    assert.throws(() => read(Buffer.from([0x02, 1, 1]), 3));
    assert.throws(() => read(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1]), 7));
  });
});
