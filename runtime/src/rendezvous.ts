/** FNV-1a over the UTF-16 code units: short, and good enough once `score` has mixed it. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** How much an address wants a key: the key goes to the highest score. Murmur3's finalizer spreads the few bits that differ. */
export function score(keyHash: number, addressHash: number): number {
  let value = keyHash ^ addressHash;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/**
 * The address that a key belongs to: the same one in every process that knows the same addresses, in whatever order. When
 * an address goes, only its own keys move; when one comes, it takes its share from all others.
 */
export function rendezvous(key: string, addresses: readonly string[]): string | undefined {
  const keyHash = hash(key);
  let best: string | undefined;
  let bestScore = -1;
  for (const address of addresses) {
    const value = score(keyHash, hash(address));
    if (value > bestScore || (value === bestScore && best !== undefined && address < best)) {
      best = address;
      bestScore = value;
    }
  }
  return best;
}
