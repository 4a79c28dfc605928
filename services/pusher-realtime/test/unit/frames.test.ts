import assert from "node:assert/strict";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type ServerPacket, ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { type Addressed, FRAME_BYTES, frames } from "../../src/core/frames.ts";
import { packetWriter } from "../../src/core/packets.ts";
import { said } from "../support/fakes.ts";
import { addressed, message, reference } from "../support/records.ts";

const packetOf = (records: Record[]): ServerPacket =>
  create(ServerPacketSchema, { event: { case: "records", value: { records } } });

describe("packetWriter", () => {
  const messages = [message(1), message(2, 'ä \u{1f30a} "\\\n'), message(3, "x".repeat(300))];
  const records = messages.map((record) => ({ record }));

  it("writes what protobuf writes", () => {
    const writer = packetWriter(Codec.BINARY);
    assert.deepEqual(writer.records(records), toBinary(ServerPacketSchema, packetOf(messages)));
    assert.deepEqual(fromBinary(ServerPacketSchema, writer.records(records)), packetOf(messages));
  });

  it("puts in the bytes of a record as they came, with whatever this version doesn't know", () => {
    const encoded = Buffer.concat([toBinary(RecordSchema, message(1)), Buffer.from([0xfa, 0x3f, 1, 7])]);
    const packet = packetWriter(Codec.BINARY).records([{ record: message(1), encoded }]);
    assert.ok(Buffer.from(packet).includes(encoded));
    const { event } = fromBinary(ServerPacketSchema, packet);
    assert.equal(event.case === "records" && event.value.records[0]?.$unknown?.length, 1);
  });

  it("writes the JSON that protobuf writes", () => {
    const text = toJsonString(ServerPacketSchema, packetOf(messages), { alwaysEmitImplicit: true });
    assert.equal(Buffer.from(packetWriter(Codec.JSON).records(records)).toString(), text);
  });

  it("writes hints in both", () => {
    for (const codec of [Codec.BINARY, Codec.JSON]) assert.equal(said(packetWriter(codec).hint("c", 9n)), "hint 9");
  });

  it("knows how large a record is within a packet", () => {
    for (const codec of [Codec.BINARY, Codec.JSON]) {
      const writer = packetWriter(codec);
      const one = writer.records(records.slice(0, 1)).length;
      const grown = writer.records(records).length - one;
      const said = records.slice(1).reduce((sum, record) => sum + writer.sizeOf(record), 0);
      assert.ok(said >= grown && said <= grown + 8, `${said} for ${grown}`);
    }
  });
});

describe("frames", () => {
  /** `["5,6 → bob/1 carol/1", …]` */
  const packed = (list: readonly Addressed[]) =>
    frames(list).map(({ payload, targets }) => `${said(payload)} → ${targets.map((t) => t.connectionId).join(" ")}`);

  it("puts several records for the same connections into one packet", () => {
    const both = ["bob/1", "carol/1"];
    assert.deepEqual(packed([addressed(message(5), both), addressed(message(6), both)]), ["5,6 → bob/1 carol/1"]);
  });

  it("does so for all others when each record leaves out its sender", () => {
    const list = [
      addressed(message(1), ["bob/1", "carol/1", "dave/1"]), // Alice's
      addressed(message(2), ["alice/1", "carol/1", "dave/1"]), // Bob's
      addressed(message(3), ["bob/1", "carol/1", "dave/1"]),
    ];
    assert.deepEqual(packed(list).sort(), ["1,2,3 → carol/1 dave/1", "1,3 → bob/1", "2 → alice/1"]);
  });

  it("keeps conversations apart, since a hint speaks of one", () => {
    const other = message(1, "x", { conversationId: "d" });
    const list = [addressed(message(5), ["bob/1"]), addressed(other, ["bob/1"]), addressed(message(6), ["bob/1"])];
    assert.deepEqual(packed(list), ["5,6 → bob/1", "1 → bob/1"]);
  });

  it("writes each connection's codec", () => {
    const [binary, json] = frames([addressed(message(5), ["bob/1", "bob/2/json"])]);
    assert.equal(binary?.targets[0]?.connectionId, "bob/1");
    assert.equal(json?.targets[0]?.connectionId, "bob/2/json");
    assert.equal(json.payload[0], 0x7b);
    assert.equal(json.hint[0], 0x7b);
    assert.equal(said(json.payload), "5");
  });

  it("makes a hint of a record without a body, in its place", () => {
    const list = [message(1), message(2), reference(3), reference(4), message(5)].map((r) => addressed(r, ["bob/1"]));
    assert.deepEqual(packed(list), ["1,2 → bob/1", "hint 4 → bob/1", "5 → bob/1"]);
    assert.deepEqual(
      frames(list).map(({ records }) => records.length),
      [2, 2, 1],
    );
  });

  it("gives each packet a hint of its last record", () => {
    const [frame] = frames([addressed(message(5), ["bob/1"]), addressed(message(6), ["bob/1"])]);
    assert.ok(frame);
    assert.equal(said(frame.hint), "hint 6");
  });

  it("makes no packet larger than 48 KiB", () => {
    const list = Array.from({ length: 40 }, (_, n) =>
      addressed(message(n + 1, "y".repeat(4000)), ["bob/1", "bob/2/json"]),
    );
    const made = frames(list);
    assert.ok(Math.max(...made.map(({ payload }) => payload.length)) <= FRAME_BYTES + 64);
    for (const codec of [Codec.BINARY, Codec.JSON]) {
      const seqs = made.filter(({ targets }) => targets[0]?.codec === codec).map(({ payload }) => said(payload));
      assert.equal(seqs.join(), Array.from({ length: 40 }, (_, n) => n + 1).join());
      assert.ok(seqs.length <= 5, `${seqs.length} packets`);
    }
  });

  it("names at most a thousand connections at once", () => {
    const connections = Array.from({ length: 2500 }, (_, n) => `user${n}/1`);
    assert.deepEqual(
      frames([addressed(message(1), connections)]).map(({ targets }) => targets.length),
      [1000, 1000, 500],
    );
  });

  it("takes a connection that is named twice for one", () => {
    assert.deepEqual(packed([addressed(message(1), ["bob/1", "bob/1"])]), ["1 → bob/1"]);
  });

  it("gives every connection its records, each once and in order, whatever the mixture", () => {
    let state = 7;
    const random = (below: number) => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return Math.floor((state / 2147483648) * below);
    };
    for (let round = 0; round < 50; round++) {
      const names = Array.from({ length: 12 }, (_, n) => `user${n}/1${n % 3 === 0 ? "/json" : ""}`);
      const list = Array.from({ length: 20 }, (_, n) => {
        const init = { conversationId: `c${random(3)}`, recordId: `${n}` };
        const record = random(6) === 0 ? reference(n + 1, init) : message(n + 1, "x".repeat(random(9000)), init);
        return addressed(
          record,
          names.filter(() => random(3) > 0),
        );
      });
      const made = frames(list);
      for (const name of names) {
        for (const conversation of ["c0", "c1", "c2"]) {
          const wanted = list.filter(
            ({ record, targets }) =>
              record.conversationId === conversation && targets.some((t) => t.connectionId === name),
          );
          const got = made
            .filter(({ targets }) => targets.some((t) => t.connectionId === name))
            .flatMap(({ records }) => records)
            .filter(({ record }) => record.conversationId === conversation);
          assert.deepEqual(
            got.map(({ record }) => record.seq),
            wanted.map(({ record }) => record.seq),
          );
        }
      }
    }
  });
});
