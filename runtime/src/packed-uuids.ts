const BYTES = 16;
const CHARACTERS = 36;

/** The 16 bytes of each UUID, one after another. Throws a TypeError when one is no UUID. */
export function packUuids(ids: readonly string[]): Uint8Array {
  const digits = ids.join("").replaceAll("-", "");
  const packed = Buffer.from(digits, "hex"); // ends at what is no hexadecimal digit
  const whole = ids.every(({ length }) => length === CHARACTERS);
  if (!whole || digits.length !== 2 * packed.length || packed.length !== ids.length * BYTES) {
    throw new TypeError("an id that is no UUID");
  }
  return packed;
}

/** The UUIDs, in lower case. Throws a TypeError when the bytes end within one. */
export function unpackUuids(packed: Uint8Array): string[] {
  if (packed.length % BYTES !== 0) throw new TypeError(`${packed.length} bytes are no whole UUIDs`);
  const digits = Buffer.from(packed.buffer, packed.byteOffset, packed.length).toString("hex");
  return Array.from({ length: packed.length / BYTES }, (_, index) => {
    const at = index * 2 * BYTES;
    const part = (from: number, to: number) => digits.slice(at + from, at + to);
    return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`;
  });
}
