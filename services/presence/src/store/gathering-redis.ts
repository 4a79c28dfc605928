import { type Command, Redis } from "ioredis";

/** The client of Redis, which writes once what is asked in one turn of the event loop: a write costs more than a command. */
export class GatheringRedis extends Redis {
  #corked: Redis["stream"] | undefined;

  override sendCommand(...args: [command: Command, stream?: Parameters<Redis["sendCommand"]>[1]]): unknown {
    if (this.#corked === undefined && this.status === "ready") {
      this.#corked = this.stream;
      this.#corked.cork();
      setImmediate(this.#uncork);
    }
    return super.sendCommand(...args);
  }

  readonly #uncork = (): void => {
    this.#corked?.uncork();
    this.#corked = undefined;
  };
}
