import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { KeptSchema } from "@oceanchat/gen/oceanchat/presence/v1/watches_pb";

const ID_BYTES = 16;

/** What a gateway is asked to keep for a connection that watches these users; empty for none. */
export function toKept(userIds: readonly string[]): Uint8Array {
  return toBinary(KeptSchema, create(KeptSchema, { userIds: toBytes(userIds) }));
}

/** The users that a connection watches. Throws for what isn't of this service. */
export function fromKept(kept: Uint8Array): string[] {
  return fromBytes(fromBinary(KeptSchema, kept).userIds);
}

/** Ids of users without their hyphens, one after the other. */
export function toBytes(userIds: readonly string[]): Uint8Array {
  return Buffer.from(userIds.join("").replaceAll("-", ""), "hex");
}

export function fromBytes(bytes: Uint8Array): string[] {
  if (bytes.length % ID_BYTES !== 0) throw new TypeError(`${bytes.length} bytes are not ids of users`);
  const hex = Buffer.from(bytes).toString("hex");
  return Array.from({ length: bytes.length / ID_BYTES }, (_, index) => {
    const id = hex.slice(index * 2 * ID_BYTES, (index + 1) * 2 * ID_BYTES);
    return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
  });
}
