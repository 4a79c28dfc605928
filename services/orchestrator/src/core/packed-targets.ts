const CONNECTION_ID = /^c_[A-Za-z0-9_-]{22}$/;
const USER_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ID_BYTES = 16;

/**
 * A connection as `OnlineRecord.packed_targets` names it: half the bytes of an encoded `Target`, and neither side encodes or decodes
 * a message for each connection. Undefined when its ids are no 16 bytes each in the usual notation.
 */
export function packTarget(connectionId: string, userId: string): Uint8Array | undefined {
  if (!CONNECTION_ID.test(connectionId) || !USER_ID.test(userId)) return undefined;
  const packed = new Uint8Array(2 * ID_BYTES);
  const connection = Buffer.from(connectionId.slice(2), "base64url");
  // The last character has bits to spare: what comes back must be the same id.
  if (`c_${connection.toString("base64url")}` !== connectionId) return undefined;
  packed.set(connection);
  packed.set(Buffer.from(userId.replaceAll("-", ""), "hex"), ID_BYTES);
  return packed;
}
