import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Every value of a length-delimited field of an encoded message, in order, as a view of its bytes: to pass on what need not be encoded again. */
export function everyBytesOf(message: Uint8Array, field: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType, number);
  }
  return found;
}

/** The value of a field that holds a message; empty when there is none. Of several, all of them: protobuf merges what is written one after another. */
export function bytesOf(message: Uint8Array, field: number): Uint8Array {
  const found = everyBytesOf(message, field);
  const [only] = found;
  if (only === undefined) return new Uint8Array(0);
  return found.length === 1 ? only : Buffer.concat(found);
}
