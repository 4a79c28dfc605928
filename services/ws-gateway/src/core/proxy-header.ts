/** What comes first is no PROXY protocol header of version 2. */
export class NoProxyHeader extends Error {
  override readonly name = "NoProxyHeader";
}

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Signature, version and command, family, length. */
const FIXED_BYTES = 16;
/** Addresses take at most 216 bytes; the rest is for extensions, which proxies seldom add. */
const MAX_REST_BYTES = 512;
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP_IPV4 = 0x11;
const TCP_IPV6 = 0x21;

/** What a proxy said, and the first bytes of the client itself. */
export interface Proxied {
  /** The client's address; empty when the proxy speaks for itself, as in its health checks. */
  readonly address: string;
  readonly rest: Buffer;
}

/** Reads the header of the PROXY protocol, version 2, that the edge writes before a client's own bytes. */
export class ProxyHeaderReader {
  #read: Buffer = Buffer.alloc(0);

  /** Takes what has arrived; gives the header when it is whole; throws NoProxyHeader. */
  push(chunk: Buffer): Proxied | undefined {
    this.#read = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk]);
    const read = this.#read;
    const known = Math.min(read.length, SIGNATURE.length);
    if (read.compare(SIGNATURE, 0, known, 0, known) !== 0) throw new NoProxyHeader("no signature");
    if (read.length < FIXED_BYTES) return undefined;
    const command = read.readUInt8(12);
    const restBytes = read.readUInt16BE(14);
    if ((command !== LOCAL && command !== PROXY) || restBytes > MAX_REST_BYTES)
      throw new NoProxyHeader("no such header");
    const end = FIXED_BYTES + restBytes;
    if (read.length < end) return undefined;
    const address = command === LOCAL ? "" : sourceOf(read.readUInt8(13), read.subarray(FIXED_BYTES, end));
    return { address, rest: read.subarray(end) };
  }
}

function sourceOf(family: number, addresses: Buffer): string {
  if (family === TCP_IPV4 && addresses.length >= 12) return addresses.subarray(0, 4).join(".");
  if (family !== TCP_IPV6 || addresses.length < 36) return "";
  return Array.from({ length: 8 }, (_, group) => addresses.readUInt16BE(group * 2).toString(16)).join(":");
}
