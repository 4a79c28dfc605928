import { randomUUID } from "node:crypto";
import type { TestSocket } from "./socket.ts";
import { type TestUser, textTo } from "./user.ts";

/** A message that was acked. */
export interface Acked {
  readonly clientMessageId: string;
  readonly recordId: string;
  readonly seq: bigint;
  readonly attempts: number;
}

/**
 * Sends at a steady rate as a good client does: what is not acked stays pending and is repeated, with the same client message id,
 * over a new socket if need be. A timeout means "unknown", never "failed".
 */
export class SteadySender {
  readonly acked: Acked[] = [];
  /** Answers that a repeat can't mend. */
  readonly refused: string[] = [];
  /** Why tries had to be repeated, and how often. */
  readonly repeated = new Map<string, number>();
  readonly #user: TestUser;
  readonly #conversationId: string;
  readonly #running: Promise<void>[] = [];
  #socket: Promise<TestSocket> | undefined;
  #stopped = false;
  #ticker: NodeJS.Timeout | undefined;

  constructor(user: TestUser, conversationId: string) {
    this.#user = user;
    this.#conversationId = conversationId;
  }

  start(perSecond: number): void {
    this.#ticker = setInterval(() => this.#running.push(this.#sendOne()), 1000 / perSecond);
  }

  /** Sends nothing new, waits until everything is acked. */
  async finish(): Promise<void> {
    clearInterval(this.#ticker);
    await Promise.all(this.#running);
    this.#stopped = true;
    const socket = await this.#socket?.catch(() => undefined);
    await socket?.close();
  }

  async #sendOne(): Promise<void> {
    const clientMessageId = randomUUID();
    for (let attempt = 1; attempt <= 200; attempt++) {
      const answer = await this.#try(clientMessageId, attempt);
      if (answer === "again") {
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * attempt, 1000)));
        continue;
      }
      if (typeof answer === "string") this.refused.push(answer);
      else this.acked.push({ clientMessageId, attempts: attempt, ...answer });
      return;
    }
    this.refused.push(`${clientMessageId} was never answered`);
  }

  async #try(clientMessageId: string, attempt: number): Promise<"again" | string | { recordId: string; seq: bigint }> {
    try {
      const socket = await this.#connected();
      const command = textTo(this.#conversationId, `steady ${clientMessageId}`, clientMessageId, attempt);
      const event = await socket.request(command, 3_000);
      if (event.case === "messageAccepted") return { recordId: event.value.recordId, seq: event.value.seq };
      if (event.case !== "error") return `an unexpected ${event.case}`;
      const retryable = [4, 8, 14].includes(event.value.code); // DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE
      const why = `${event.value.code} ${event.value.reason} ${event.value.message}`;
      return retryable ? this.#again(why) : why;
    } catch (error) {
      return this.#again(String(error)); // no socket, or no answer: unknown
    }
  }

  #again(why: string): "again" {
    this.repeated.set(why, (this.repeated.get(why) ?? 0) + 1);
    return "again";
  }

  #connected(): Promise<TestSocket> {
    this.#socket ??= this.#user.connect().then(
      (socket) => {
        void socket.closed.then(() => {
          if (!this.#stopped) this.#socket = undefined;
        });
        return socket;
      },
      (error: unknown) => {
        this.#socket = undefined;
        throw error;
      },
    );
    return this.#socket;
  }
}
