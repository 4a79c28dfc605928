import { createHash } from "node:crypto";

const NAMESPACE = Buffer.from("9b1cbf1d8f0d4c0a8a1c6f2f3d2f7e55", "hex");

/**
 * The id of sending this record to this device: a UUID of version 5, the same at every repeat, so that provider,
 * device and log recognise one.
 */
export function deliveryId(recordId: string, token: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(`${recordId}\n${token}`).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
