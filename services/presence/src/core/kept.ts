import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { KeptSchema } from "@oceanchat/gen/oceanchat/presence/v1/watches_pb";
import { fromBytes, toBytes } from "../user-ids.ts";

/** What a gateway is asked to keep for a connection that watches these users; empty for none. */
export function toKept(userIds: readonly string[]): Uint8Array {
  return toBinary(KeptSchema, create(KeptSchema, { userIds: toBytes(userIds) }));
}

/** The users that a connection watches. Throws for what isn't of this service. */
export function fromKept(kept: Uint8Array): string[] {
  return fromBytes(fromBinary(KeptSchema, kept).userIds);
}
