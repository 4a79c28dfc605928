/** Packets that are remembered. Gateways and streams keep fewer under way; one more would only not be joined. */
const MAX_PACKETS = 65_536;

/** A packet that waits for its answer. */
interface Running<T> {
  readonly payload: Uint8Array;
  answer: Promise<T> | undefined;
}

/** Packets that wait for their answers, by connection and request id. */
export class InFlight<T> {
  readonly #running = new Map<string, Running<T>>();

  /** The answer that the same packet waits for; `another` when it is another packet that waits under this id. */
  get(key: string, payload: Uint8Array): Promise<T> | "another" | undefined {
    const running = this.#running.get(key);
    if (running === undefined) return undefined;
    return isSame(running.payload, payload) ? running.answer : "another";
  }

  /** Runs a packet and remembers it until it calls `end`, which it may do at once. */
  run(key: string, payload: Uint8Array, packet: () => Promise<T>): Promise<T> {
    if (this.#running.size >= MAX_PACKETS) return packet();
    const running: Running<T> = { payload, answer: undefined };
    this.#running.set(key, running);
    running.answer = packet();
    return running.answer;
  }

  end(key: string): void {
    this.#running.delete(key);
  }

  get size(): number {
    return this.#running.size;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
