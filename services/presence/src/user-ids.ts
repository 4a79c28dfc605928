const ID_BYTES = 16;

/** Ids of users without their hyphens, one after the other. */
export function toBytes(userIds: readonly string[]): Uint8Array {
  return Buffer.from(userIds.join("").replaceAll("-", ""), "hex");
}

/** The ids again. Throws for what isn't a list of ids. */
export function fromBytes(bytes: Uint8Array): string[] {
  if (bytes.length % ID_BYTES !== 0) throw new TypeError(`${bytes.length} bytes are not ids of users`);
  const hex = Buffer.from(bytes).toString("hex");
  return Array.from({ length: bytes.length / ID_BYTES }, (_, index) => {
    const id = hex.slice(index * 2 * ID_BYTES, (index + 1) * 2 * ID_BYTES);
    return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
  });
}
