/** Ends the count of one connection. */
export type Release = () => void;

/** How many connections each network address has, those that have not said yet who they are included. */
export class AddressLimit {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  /** At most so many of one address; 0 for no limit. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Addresses that have connections. */
  get size(): number {
    return this.#counts.size;
  }

  /** Counts a connection until the result is called, once; undefined when the address has as many as it may. */
  take(address: string): Release | undefined {
    if (this.#max === 0) return uncounted;
    const key = networkOf(address);
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#max) return undefined;
    this.#counts.set(key, count + 1);
    return () => this.#release(key);
  }

  #release(key: string): void {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

const uncounted: Release = () => undefined;

/** Where an upgrade comes from: a client may write into the front of the header, the last entry is the edge's own. */
export function addressOf(forwardedFor: string | string[] | undefined, remote: string | undefined): string {
  const last =
    String(forwardedFor ?? "")
      .split(",")
      .at(-1)
      ?.trim() ?? "";
  return last === "" ? (remote ?? "") : last;
}

const IPV4_MAPPED = "::ffff:";

/** What counts as one address: an IPv4 address, or the /64 of an IPv6 address, which one customer has to himself. */
export function networkOf(address: string): string {
  const [plain = ""] = address.toLowerCase().split("%", 1);
  if (plain.startsWith(IPV4_MAPPED) && plain.includes(".")) return plain.slice(IPV4_MAPPED.length);
  if (!plain.includes(":")) return plain;
  const [front = "", back] = plain.split("::", 2);
  const groups = (text: string | undefined) => (text === undefined || text === "" ? [] : text.split(":"));
  const [head, tail] = [groups(front), groups(back)];
  // Only the first four count, so a last group in dots is as good as any two.
  const zeros = back === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const all = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
