import { setTimeout } from "node:timers/promises";
import { packet, WsClient } from "./clients.ts";
import { accessToken } from "./tokens.ts";

const EVERY_MS = 5;

/** Somebody who uses the gateway while others abuse it: he sends packets and gets his answers. */
export class Bystander {
  readonly #client: WsClient;
  readonly #waitedMs: number[] = [];
  #stopped = false;
  readonly #running: Promise<void>;

  private constructor(client: WsClient) {
    this.#client = client;
    this.#running = this.#run();
  }

  static async start(port: number): Promise<Bystander> {
    return new Bystander(await WsClient.connect(port, { token: accessToken({ sub: "bystander" }) }));
  }

  /** Every packet has been answered, or this rejects; gives the 99th percentile of how long that took, in milliseconds. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#running;
    const sorted = this.#waitedMs.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  }

  leave(): void {
    this.#client.socket.terminate();
  }

  async #run(): Promise<void> {
    for (let requestId = 1; !this.#stopped; requestId++) {
      const sentMs = performance.now();
      this.#client.socket.send(packet({ requestId, event: { case: "done", value: {} } }));
      const answered = this.#client.packets.find((answer) => answer.requestId === requestId);
      const closed = this.#client.closed.then(({ code }) => {
        throw new Error(`the bystander was closed with ${code}`);
      });
      await Promise.race([answered, closed]);
      this.#waitedMs.push(performance.now() - sentMs);
      await setTimeout(EVERY_MS);
    }
  }
}
