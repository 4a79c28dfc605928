import type { Logger } from "pino";
import type { Outcome } from "./bus-types.ts";

/** What the lanes know of a message. */
export interface LaneMessage {
  /** How often it was handed over in vain. */
  attempts: number;
}

/** How lanes work through their messages. */
export interface LaneRules<T extends LaneMessage> {
  /** How many batches may be handled at the same time. */
  readonly lanes: number;
  readonly maxBatch: number;
  readonly lingerMs: number;
  readonly log: Logger;
  handle(batch: readonly T[]): Promise<void> | Promise<readonly Outcome[]>;
  retryDelayMs(failures: number): number;
  poison(message: T, error: unknown): string | undefined;
  /** The message is done. */
  done(message: T): void;
  /** Puts the message where poison goes; rejects when that can't be done now. */
  bury(message: T, reason: string): Promise<void>;
}

type Key = number | string;

interface Lane<T> {
  readonly key: Key;
  readonly queue: T[];
  running: boolean;
  startedAt: number;
  /** In a row. */
  failures: number;
  /** The largest next batch. */
  limit: number;
  /** It has waited long enough for a fuller batch. */
  due: boolean;
  /** Runs while it waits: after a failure, or for a fuller batch. */
  timer: NodeJS.Timeout | undefined;
  /** Until the timer of a failure ends nothing is handled. */
  blocked: boolean;
}

/**
 * Hands messages over in batches: in order within a lane, lanes beside each other. A lane whose batch failed waits
 * and gets the same messages again, a quarter of them each time, so that one bad message ends up alone; the other
 * lanes go on.
 */
export class Lanes<T extends LaneMessage> {
  readonly #rules: LaneRules<T>;
  readonly #lanes = new Map<Key, Lane<T>>();
  readonly #ready = new Set<Lane<T>>();
  #running = 0;
  #closed = false;
  #soon: NodeJS.Immediate | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(rules: LaneRules<T>) {
    this.#rules = rules;
  }

  /** How many lanes hold messages. */
  get size(): number {
    return this.#lanes.size;
  }

  /** How many batches are being handled. */
  get running(): number {
    return this.#running;
  }

  add(key: Key, message: T): void {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = newLane(key, this.#rules.maxBatch);
      this.#lanes.set(key, lane);
    }
    lane.queue.push(message);
    this.#schedule(lane);
  }

  /**
   * Lets all lanes go that wait for fuller batches: nothing more is to come for the moment, or one has waited long enough. What they do at
   * once may be done together.
   */
  hurry(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.queue.length === 0 || lane.blocked) continue;
      clearTimeout(lane.timer);
      lane.timer = undefined;
      lane.due = true;
      this.#schedule(lane);
    }
  }

  /** For how long the slowest batch has been handled. */
  slowestMs(now: number): number {
    let slowest = 0;
    for (const lane of this.#lanes.values()) if (lane.running) slowest = Math.max(slowest, now - lane.startedAt);
    return slowest;
  }

  /** What waits in the lanes. */
  leftovers(): T[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.queue);
  }

  /** Begins no more batches and waits for those that run, at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    for (const lane of this.#lanes.values()) clearTimeout(lane.timer);
    this.#ready.clear();
    clearImmediate(this.#soon);
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #schedule(lane: Lane<T>): void {
    if (this.#closed || lane.running || lane.blocked) return;
    if (lane.queue.length === 0) {
      this.#lanes.delete(lane.key);
      return;
    }
    const { lingerMs, maxBatch } = this.#rules;
    if (lingerMs > 0 && !lane.due && lane.failures === 0 && lane.queue.length < maxBatch) {
      lane.timer ??= setTimeout(() => this.hurry(), lingerMs);
      return;
    }
    clearTimeout(lane.timer);
    lane.timer = undefined;
    this.#ready.add(lane);
    // Not at once: what the same packet brought belongs into the same batch.
    this.#soon ??= setImmediate(() => this.#pump());
  }

  #pump(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    for (const lane of this.#ready) {
      if (this.#running >= this.#rules.lanes) return;
      this.#ready.delete(lane);
      void this.#run(lane);
    }
  }

  async #run(lane: Lane<T>): Promise<void> {
    lane.running = true;
    lane.startedAt = performance.now();
    lane.due = false;
    this.#running++;
    const batch = lane.queue.splice(0, lane.limit);
    const again = await this.#attempt(lane, batch);
    lane.queue.unshift(...again.messages);
    this.#running--;
    lane.running = false;
    if (again.delayMs > 0 && !this.#closed) this.#block(lane, again.delayMs);
    this.#schedule(lane);
    this.#pump();
    if (this.#running === 0) this.#whenIdle?.();
  }

  #block(lane: Lane<T>, delayMs: number): void {
    lane.blocked = true;
    lane.timer = setTimeout(() => {
      lane.timer = undefined;
      lane.blocked = false;
      this.#schedule(lane);
    }, delayMs);
  }

  /** Handles a batch and settles what it can; returns what must come again and when. Never rejects. */
  async #attempt(lane: Lane<T>, batch: readonly T[]): Promise<{ messages: T[]; delayMs: number }> {
    let outcomes: readonly Outcome[];
    try {
      outcomes = (await this.#rules.handle(batch)) ?? batch.map(() => "ack" as const);
      if (outcomes.length !== batch.length) {
        throw new TypeError(`${outcomes.length} outcomes for ${batch.length} messages`);
      }
    } catch (error) {
      const reason = this.#poison(batch, error);
      if (reason === undefined) return this.#failed(lane, batch, error);
      outcomes = [{ dead: reason }];
    }
    return await this.#settle(lane, batch, outcomes);
  }

  async #settle(lane: Lane<T>, batch: readonly T[], outcomes: readonly Outcome[]) {
    const messages: T[] = [];
    let delayMs = 0;
    let trouble: unknown;
    for (const [index, message] of batch.entries()) {
      const outcome = outcomes[index] ?? "ack";
      if (outcome === "ack") {
        this.#rules.done(message);
      } else if ("dead" in outcome) {
        try {
          await this.#rules.bury(message, outcome.dead);
        } catch (error) {
          trouble = error;
          messages.push(message);
        }
      } else {
        messages.push(message);
        delayMs = Math.max(delayMs, outcome.retryAfterMs, 1);
      }
    }
    if (trouble !== undefined) return this.#failed(lane, messages, trouble);
    for (const message of messages) message.attempts++;
    lane.failures = 0;
    lane.limit = Math.min(this.#rules.maxBatch, lane.limit * 2);
    return { messages, delayMs };
  }

  #failed(lane: Lane<T>, batch: readonly T[], error: unknown): { messages: T[]; delayMs: number } {
    lane.failures++;
    lane.limit = Math.max(1, Math.floor(batch.length / 4));
    for (const message of batch) message.attempts++;
    const delayMs = Math.max(1, this.#rules.retryDelayMs(lane.failures));
    this.#rules.log.warn(
      { err: error, lane: lane.key, messages: batch.length, failures: lane.failures, delayMs },
      "bus: a batch failed and will be tried again",
    );
    return { messages: [...batch], delayMs };
  }

  #poison(batch: readonly T[], error: unknown): string | undefined {
    const [message] = batch;
    if (message === undefined || batch.length > 1) return undefined;
    try {
      return this.#rules.poison(message, error);
    } catch (thrown) {
      this.#rules.log.error({ err: thrown }, "bus: poison() threw");
      return undefined;
    }
  }
}

function newLane<T>(key: Key, limit: number): Lane<T> {
  return {
    key,
    queue: [],
    running: false,
    startedAt: 0,
    failures: 0,
    limit,
    due: false,
    timer: undefined,
    blocked: false,
  };
}

/** 100 ms doubled up to 30 s, half of it random. */
export function defaultRetryDelayMs(failures: number): number {
  const base = Math.min(100 * 2 ** (failures - 1), 30_000);
  return base / 2 + (Math.random() * base) / 2;
}
