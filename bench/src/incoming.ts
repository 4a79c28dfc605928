import { fromBinary } from "@bufbuild/protobuf";
import { type ServerPacket, ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";

/** What a packet says. */
export interface PacketSink {
  /** A message's record: its number in this run, its seq, the end of its conversation's id (idTail). */
  message(number: number, seq: number, conversationTail: number): void;
  /** A message that this run has not sent. */
  stranger(clientMessageId: string, seq: number): void;
  accepted(requestId: number, seq: number): void;
  /** Any other packet, decoded. */
  other(packet: ServerPacket): void;
}

/** Field numbers, of packet.proto, record.proto and message_service.proto; a test compares them with the full decoder. */
const FIELD = {
  packet: { requestId: 1, records: 11, accepted: 16 },
  records: { records: 1 },
  record: { conversationId: 1, seq: 2, message: 10 },
  message: { clientMessageId: 1 },
  accepted: { seq: 3 },
} as const;
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const ID_LENGTH = 36;
const NUMBER_LENGTH = 12;

/** Six bytes at the end of an id, as a number: enough to tell the conversations of a run apart. */
export function idTail(bytes: Uint8Array, end: number): number {
  let tail = 0;
  for (let at = end - 6; at < end; at++) tail = tail * 256 + (bytes[at] ?? 0);
  return tail;
}

/**
 * Reads what a client is sent as far as the generator needs it: of a record the seq, the end of the conversation's id and the number
 * in the client message id. Nothing is allocated for a record; a full decode costs twenty times as much.
 */
export class PacketReader {
  readonly #prefix: Uint8Array;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** `prefix` is what the client message ids of this run begin with (message-ids.ts). */
  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix, "latin1");
  }

  /** Throws when it is no packet. */
  read(bytes: Buffer, start: number, end: number, sink: PacketSink): void {
    this.#bytes = bytes;
    this.#at = start;
    let requestId = 0;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((FIELD.packet.requestId << 3) | WIRE.varint)) requestId = this.#varint();
      else if (tag === ((FIELD.packet.records << 3) | WIRE.bytes)) this.#records(this.#end(), sink);
      else if (tag === ((FIELD.packet.accepted << 3) | WIRE.bytes))
        sink.accepted(requestId, this.#acceptedSeq(this.#end()));
      else {
        this.#at = end;
        sink.other(fromBinary(ServerPacketSchema, bytes.subarray(start, end)));
      }
    }
    if (this.#at !== end) throw new RangeError("a packet that is cut off");
  }

  #acceptedSeq(end: number): number {
    let seq = 0;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((FIELD.accepted.seq << 3) | WIRE.varint)) seq = this.#varint();
      else this.#skip(tag);
    }
    return seq;
  }

  #records(end: number, sink: PacketSink): void {
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((FIELD.records.records << 3) | WIRE.bytes)) this.#record(this.#end(), sink);
      else this.#skip(tag);
    }
  }

  #record(end: number, sink: PacketSink): void {
    let seq = 0;
    let tail = 0;
    let idAt = -1;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((FIELD.record.conversationId << 3) | WIRE.bytes)) {
        const idEnd = this.#end();
        tail = idTail(this.#bytes, idEnd);
        this.#at = idEnd;
      } else if (tag === ((FIELD.record.seq << 3) | WIRE.varint)) seq = this.#varint();
      else if (tag === ((FIELD.record.message << 3) | WIRE.bytes)) idAt = this.#clientMessageId(this.#end());
      else this.#skip(tag);
    }
    if (idAt < 0) return; // no message: a change of members
    const number = this.#numberAt(idAt);
    if (number >= 0) sink.message(number, seq, tail);
    else sink.stranger(this.#bytes.toString("latin1", idAt, idAt + ID_LENGTH), seq);
  }

  /** Where the id is; -1 when there is none of the right length. Leaves the message. */
  #clientMessageId(end: number): number {
    let found = -1;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag !== ((FIELD.message.clientMessageId << 3) | WIRE.bytes)) {
        this.#skip(tag);
        continue;
      }
      const idEnd = this.#end();
      if (idEnd - this.#at === ID_LENGTH) found = this.#at;
      this.#at = end; // the id comes first, and nothing else is wanted
    }
    return found;
  }

  /** The number of the message; -1 when the id is of another run. */
  #numberAt(at: number): number {
    const bytes = this.#bytes;
    for (let index = 0; index < this.#prefix.length; index++) {
      if (bytes[at + index] !== this.#prefix[index]) return -1;
    }
    let number = 0;
    for (let index = at + ID_LENGTH - NUMBER_LENGTH; index < at + ID_LENGTH; index++) {
      const digit = bytes[index] ?? 0;
      number = number * 16 + (digit <= 57 ? digit - 48 : digit - 87);
    }
    return number;
  }

  /** Where the field that begins here ends. */
  #end(): number {
    const length = this.#varint();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("a field that is cut off");
    return end;
  }

  #varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] ?? 0;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 128;
    do {
      byte = bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte >= 0x80 && factor < 2 ** 70);
    return value;
  }

  #skip(tag: number): void {
    const wire = tag & 7;
    if (wire === WIRE.varint) this.#varint();
    else if (wire === WIRE.fixed64) this.#at += 8;
    else if (wire === WIRE.bytes) this.#at = this.#end();
    else if (wire === WIRE.fixed32) this.#at += 4;
    else throw new RangeError(`a field of wire type ${wire}`);
  }
}
