import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RecordsSchema, type ServerPacket, ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";

/** A record to be written, with its bytes if they are known. */
export interface Writable {
  readonly record: Record;
  readonly encoded?: Uint8Array;
}

/**
 * Writes packets in one codec. A record that goes to different connections in different company is encoded once: its bytes
 * are put into each packet as they are.
 */
export interface PacketWriter {
  /** The size of a record within a packet, in bytes. */
  sizeOf(record: Writable): number;
  /** A packet with these records. */
  records(records: readonly Writable[]): Uint8Array;
  /** A packet that says that a conversation has records up to there. */
  hint(conversationId: string, headSeq: bigint): Uint8Array;
}

/** A writer remembers what it has encoded: make one for each batch. */
export function packetWriter(codec: Codec): PacketWriter {
  return codec === Codec.JSON ? jsonWriter() : binaryWriter();
}

const RECORDS_TAG = ServerPacketSchema.field.records.number;
const RECORD_TAG = RecordsSchema.field.records.number;

function binaryWriter(): PacketWriter {
  const encode = remembering((record) => toBinary(RecordSchema, record));
  const encoded = (writable: Writable) => writable.encoded ?? encode(writable.record);
  return {
    sizeOf: (record) => encoded(record).length + 4,
    records(records) {
      const writer = new BinaryWriter().tag(RECORDS_TAG, WireType.LengthDelimited).fork();
      for (const record of records) writer.tag(RECORD_TAG, WireType.LengthDelimited).bytes(encoded(record));
      return writer.join().finish();
    },
    hint: (conversationId, headSeq) => toBinary(ServerPacketSchema, hintPacket(conversationId, headSeq)),
  };
}

function jsonWriter(): PacketWriter {
  const text = new TextEncoder();
  const encode = remembering((record) => toJsonString(RecordSchema, record, { alwaysEmitImplicit: true }));
  const encoded = ({ record }: Writable) => encode(record);
  return {
    sizeOf: (record) => Buffer.byteLength(encoded(record)) + 1,
    records: (records) => text.encode(`{"requestId":0,"records":{"records":[${records.map(encoded).join()}]}}`),
    hint: (conversationId, headSeq) =>
      text.encode(toJsonString(ServerPacketSchema, hintPacket(conversationId, headSeq), { alwaysEmitImplicit: true })),
  };
}

function hintPacket(conversationId: string, headSeq: bigint): ServerPacket {
  return create(ServerPacketSchema, { event: { case: "hint", value: { conversationId, headSeq } } });
}

function remembering<T>(encode: (record: Record) => T): (record: Record) => T {
  const known = new Map<Record, T>();
  return (record) => {
    const before = known.get(record);
    if (before !== undefined) return before;
    const encoded = encode(record);
    known.set(record, encoded);
    return encoded;
  };
}
