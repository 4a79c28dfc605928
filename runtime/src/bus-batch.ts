import { randomBytes } from "node:crypto";
import type { PublishWindow } from "./bus-publish.ts";
import { PublishError, type Published, type PublishOptions } from "./bus-types.ts";
import { headerLines, headersOf } from "./publish-headers.ts";

/** How much is put together. */
export interface BatchLimits {
  /** How many publishes one batch may have; the server takes 1,000. */
  readonly batch: number;
  /** How many may wait for the batch under way. */
  readonly waiting: number;
}

interface Waiting {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly lines: string;
  readonly messageId: string | undefined;
  readonly giveUpAt: number;
  resolve(published: Published): void;
  reject(error: unknown): void;
}

const DEFAULT_TIMEOUT_MS = 2000;
/** A batch costs the server some files, whatever its size: fewer than this are stored sooner one by one. */
const LEAST = 12;
/** How many may be under way one by one before others wait, to be put together if they become enough. */
const SINGLES = 4;
const MAX_BATCH_BYTES = 1024 * 1024;
/** What a publish that was thrown back with its batch gets at least, in milliseconds. */
const LEAST_TIME_MS = 100;

/**
 * Publishes what waits as one atomic batch, for a server that syncs to disk before it answers: it does so once for a batch, but once for
 * every publish by itself. Few publishes go by themselves, without waiting for others. A batch is refused as a whole; then nothing of
 * it is stored, and each of its publishes goes by itself and learns its own answer.
 *
 * A subject comes once in a batch: the server knows no expectation of the second.
 */
export class PublishBatches {
  readonly #window: PublishWindow;
  readonly #limits: BatchLimits;
  readonly #name = randomBytes(6).toString("base64url");
  #serial = 0;
  #waiting: Waiting[] = [];
  #singles = 0;
  #underWay = false;
  #next: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(window: PublishWindow, limits: BatchLimits) {
    this.#window = window;
    this.#limits = limits;
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new PublishError("unavailable", "the bus is closed");
      if (this.#waiting.length >= this.#limits.waiting) {
        throw new PublishError("overloaded", `${this.#waiting.length} publishes wait already`);
      }
      const { messageId, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
      const giveUpAt = performance.now() + timeoutMs;
      this.#waiting.push({ subject, data, lines: headerLines(options), messageId, giveUpAt, resolve, reject });
      this.#wake();
    });
  }

  /** Hands over what waits: the window ends it. */
  close(): void {
    this.#closed = true;
    for (const one of this.#waiting.splice(0)) this.#single(one);
  }

  /** At the end of the turn, so that all of one turn are together. */
  #wake(): void {
    if (!this.#underWay) this.#next ??= setImmediate(() => this.#pump());
  }

  #pump(): void {
    this.#next = undefined;
    if (this.#underWay) return;
    this.#dropLate();
    if (this.#waiting.length >= LEAST) {
      const batch = this.#take();
      if (batch.length >= LEAST) return void this.#together(batch);
      this.#waiting.unshift(...batch);
    }
    for (const one of this.#waiting.splice(0, SINGLES - this.#singles)) this.#single(one);
  }

  #dropLate(): void {
    const now = performance.now();
    const late = this.#waiting.filter(({ giveUpAt }) => giveUpAt <= now);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter(({ giveUpAt }) => giveUpAt > now);
    for (const { subject, reject } of late) reject(new PublishError("overloaded", `${subject} was not sent in time`));
  }

  /** The first of each subject, in their order. */
  #take(): Waiting[] {
    const taken: Waiting[] = [];
    const rest: Waiting[] = [];
    const seen = new Set<string>();
    let bytes = 0;
    for (const one of this.#waiting) {
      const { subject, messageId, data } = one;
      const id = messageId === undefined ? subject : `id ${messageId}`;
      const fits = taken.length < this.#limits.batch && bytes + data.length <= MAX_BATCH_BYTES;
      if (fits && !seen.has(subject) && !seen.has(id)) {
        taken.push(one);
        bytes += data.length;
      } else rest.push(one);
      // A later one of a subject never comes before an earlier one.
      seen.add(subject).add(id);
    }
    this.#waiting = rest;
    return taken;
  }

  async #together(batch: readonly Waiting[]): Promise<void> {
    this.#underWay = true;
    try {
      const { sequence } = await this.#window.send(this.#batchOf(batch));
      for (const [index, { resolve }] of batch.entries()) {
        resolve({ sequence: sequence - (batch.length - 1 - index), duplicate: false });
      }
    } catch (error) {
      if (!wasRefused(error)) for (const { reject } of batch) reject(error);
      else await Promise.all(batch.map((one) => this.#single(one)));
    } finally {
      this.#underWay = false;
      this.#wake();
    }
  }

  #batchOf(batch: readonly Waiting[]) {
    const id = `${this.#name}${(this.#serial++).toString(36)}`;
    const messages = batch.map(({ subject, data, lines }, index) => {
      const commit = index === batch.length - 1 ? "Nats-Batch-Commit: 1\r\n" : "";
      const own = `Nats-Batch-Id: ${id}\r\nNats-Batch-Sequence: ${index + 1}\r\n${commit}`;
      return { subject, data, headers: headersOf(`${lines}${own}`) };
    });
    const [last] = messages.splice(-1);
    if (last === undefined) throw new RangeError("a batch has a message");
    return { ...last, timeoutMs: timeLeft(batch), ahead: messages };
  }

  async #single(one: Waiting): Promise<void> {
    this.#singles++;
    try {
      const { subject, data, lines } = one;
      one.resolve(
        await this.#window.send({ subject, data, headers: headersOf(lines), timeoutMs: timeLeft([one]), ahead: [] }),
      );
    } catch (error) {
      one.reject(error);
    } finally {
      this.#singles--;
      if (this.#waiting.length > 0) this.#wake();
    }
  }
}

/** The server has looked at it and stored nothing. */
function wasRefused(error: unknown): boolean {
  return (
    error instanceof PublishError && (error.kind === "conflict" || error.kind === "refused" || error.kind === "full")
  );
}

/** Until the first of them gives up, in milliseconds. */
function timeLeft(batch: readonly Waiting[]): number {
  const first = Math.min(...batch.map(({ giveUpAt }) => giveUpAt));
  return Math.max(LEAST_TIME_MS, first - performance.now());
}
