import type { Target } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { unpackUuids } from "@oceanchat/runtime/packed-uuids";

/** A connection that gets a record. */
export type Recipient = Pick<Target, "connectionId" | "userId" | "codec">;

const ID_BYTES = 16;
const TARGET_BYTES = 2 * ID_BYTES;

class PackedTarget implements Recipient {
  readonly connectionId: string;
  readonly codec = Codec.BINARY;
  readonly #userId: Uint8Array;

  constructor(connectionId: string, userId: Uint8Array) {
    this.connectionId = connectionId;
    this.#userId = userId;
  }

  /** Asked for only when the connection is gone. */
  get userId(): string {
    return unpackUuids(this.#userId)[0] ?? "";
  }
}

/** The connections of `OnlineRecord.packed_targets`. Throws a TypeError when the bytes end within one. */
export function unpackTargets(packed: Uint8Array): Recipient[] {
  if (packed.length % TARGET_BYTES !== 0) throw new TypeError(`${packed.length} bytes are no whole targets`);
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  return Array.from({ length: packed.length / TARGET_BYTES }, (_, index) => {
    const at = index * TARGET_BYTES;
    const connectionId = `c_${bytes.toString("base64url", at, at + ID_BYTES)}`;
    return new PackedTarget(connectionId, bytes.subarray(at + ID_BYTES, at + TARGET_BYTES));
  });
}
