import type { Logger } from "pino";
import type { SessionEnds } from "./ports.ts";

/** Users who are looked at beside each other. */
const AT_ONCE = 64;
/** Users who wait for a look, for the first or the second one. */
const MAX_WAITING = 20_000;
/** A connection that was being made is in presence by then, and a gateway that didn't answer is asked again. */
const AGAIN_MS = 1_000;

/**
 * Closes the connections of sessions that have ended, beside the calls that end them: nobody waits for it, and what it can't
 * do the gateways' own check finds. Each user is looked at twice, at once and after a second.
 */
export class EndedSessions implements SessionEnds {
  readonly #close: (userId: string) => Promise<number>;
  readonly #log: Logger;
  readonly #againMs: number;
  readonly #waiting = new Set<string>();
  readonly #again = new Map<string, NodeJS.Timeout>();
  readonly #looks = new Set<Promise<void>>();
  #failing = false;
  #stopping = false;

  /** `close` closes what is to be closed of a user and gives how many connections that were. */
  constructor(close: (userId: string) => Promise<number>, log: Logger, againMs = AGAIN_MS) {
    this.#close = close;
    this.#log = log;
    this.#againMs = againMs;
  }

  ended(userId: string): void {
    if (this.#stopping) return;
    if (this.#waiting.size + this.#again.size >= MAX_WAITING) {
      this.#log.warn({ userId }, "too many sessions end at once: their connections are left to the gateways' check");
      return;
    }
    clearTimeout(this.#again.get(userId));
    const again = setTimeout(() => {
      this.#again.delete(userId);
      this.#look(userId);
    }, this.#againMs);
    this.#again.set(userId, again);
    this.#look(userId);
  }

  /** Resolves when what was begun is done; second looks are left out. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#again.values()) clearTimeout(timer);
    this.#again.clear();
    this.#waiting.clear();
    await Promise.all(this.#looks);
  }

  #look(userId: string): void {
    this.#waiting.add(userId);
    this.#run();
  }

  #run(): void {
    for (const userId of this.#waiting) {
      if (this.#looks.size >= AT_ONCE) return;
      this.#waiting.delete(userId);
      const look: Promise<void> = this.#lookAt(userId).then(() => {
        this.#looks.delete(look);
        this.#run();
      });
      this.#looks.add(look);
    }
  }

  /** Never rejects. */
  async #lookAt(userId: string): Promise<void> {
    try {
      const connections = await this.#close(userId);
      if (connections > 0) this.#log.info({ userId, connections }, "closed the connections of ended sessions");
      if (this.#failing) this.#log.info("connections of ended sessions can be closed again");
      this.#failing = false;
    } catch (cause) {
      if (!this.#failing)
        this.#log.warn({ err: cause, userId }, "connections of ended sessions can't be closed for now");
      this.#failing = true;
    }
  }
}
