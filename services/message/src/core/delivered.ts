import type { ConfirmRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import type { Clock, DeliveredCursor, DeliveredStore, Journal } from "../ports.ts";
import type { Appender } from "./append.ts";
import { type DirectLog, type GroupLog, targetLog, uuidOf } from "./log.ts";
import type { Permissions } from "./permissions.ts";
import type { MessageSender } from "./writing.ts";

/** What delivered cursors need. */
export interface DeliveredNeeds {
  readonly permissions: Permissions;
  readonly appender: Pick<Appender, "clamp">;
  readonly clock: Clock;
  readonly store: DeliveredStore;
  readonly journal: Journal;
  /** Told when the furthest of a user's devices has come further, as far as this instance knows, and the store has it. */
  moved(log: GroupLog | DirectLog, userId: string, deliveredSeq: bigint): void;
}

/** Limits of what is kept. */
export interface DeliveredLimits {
  /** How many cursors are written at once; so many that wait are written without delay. */
  readonly batch: number;
  /** How many cursors may wait for the store. */
  readonly waiting: number;
  /** How many cursors are remembered so that what isn't new is not written. */
  readonly remembered: number;
}

interface Waiting {
  readonly log: GroupLog | DirectLog;
  readonly cursor: DeliveredCursor;
}

/**
 * How far devices have received conversations. Kept here until the next flush writes it, so a cursor that moves with every record
 * is written once a second. What is lost with the process is confirmed again by its device.
 */
export class Delivered {
  readonly #needs: DeliveredNeeds;
  readonly #limits: DeliveredLimits;
  /** The cursor of each device that moved last. */
  readonly #cursors: RecentMap<bigint>;
  /** How far the furthest device of a user was when the others were told. */
  readonly #told: RecentMap<bigint>;
  /** What the store hasn't got yet, the longest waiting first. */
  readonly #waiting = new Map<string, Waiting>();
  #flushes: Promise<void> = Promise.resolve();
  /** Whether nothing is being written and the store took what was written last. */
  #ready = true;
  /** How many are written at once: fewer after a failure. */
  #size: number;
  #dropped = 0;

  constructor(needs: DeliveredNeeds, limits: DeliveredLimits) {
    this.#needs = needs;
    this.#limits = limits;
    this.#size = limits.batch;
    this.#cursors = new RecentMap(limits.remembered);
    this.#told = new RecentMap(limits.remembered);
  }

  /** How many cursors wait for the store. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when the cursor is noted: at that record, or the conversation's last. It moves forward only. */
  async confirm(sender: MessageSender, request: ConfirmRequest, traceparent: string): Promise<void> {
    const { permissions, appender, clock } = this.#needs;
    const { deviceId } = sender;
    const userId = uuidOf("sender.user_id", sender.userId);
    const log = targetLog({ case: "conversationId", value: request.conversationId }, userId);
    await permissions.checkMember(log, userId, traceparent);
    const key = `${userId}:${log.id}:${deviceId}`;
    if (request.seq <= this.#at(key)) return;
    const deliveredSeq = await appender.clamp(log.id, request.seq);
    if (deliveredSeq <= this.#at(key)) return;
    this.#cursors.set(key, deliveredSeq);
    this.#wait(key, {
      log,
      cursor: { userId, conversationId: log.id, deviceId, deliveredSeq, movedMs: clock.now() },
    });
    if (this.#ready && this.#waiting.size >= this.#limits.batch) void this.flush();
  }

  /** Writes what waits now. Never rejects: what the store doesn't take waits for the next time. */
  flush(): Promise<void> {
    this.#flushes = this.#flushes.then(() => this.#writeAll());
    return this.#flushes;
  }

  #at(key: string): bigint {
    return this.#cursors.get(key) ?? 0n;
  }

  #wait(key: string, cursor: Waiting): void {
    if (!this.#waiting.has(key) && this.#waiting.size >= this.#limits.waiting) this.#dropOldest();
    this.#waiting.set(key, cursor);
  }

  /** Forgotten altogether, so that it counts when its device confirms again. */
  #dropOldest(): void {
    for (const oldest of this.#waiting.keys()) {
      this.#waiting.delete(oldest);
      this.#cursors.delete(oldest);
      this.#dropped++;
      return;
    }
  }

  async #writeAll(): Promise<void> {
    this.#ready = false;
    let taken = true;
    for (let left = this.#waiting.size; taken && left > 0; ) {
      left -= this.#size;
      taken = await this.#writeOldest(this.#size);
      // A store that is too slow for so many at once would never be done with them.
      this.#size = taken ? Math.min(2 * this.#size, this.#limits.batch) : Math.max(1, this.#size >> 1);
    }
    this.#ready = taken;
    if (this.#dropped > 0) this.#needs.journal.deliveredDropped(this.#dropped);
    this.#dropped = 0;
  }

  /** Whether the store has answered. */
  async #writeOldest(count: number): Promise<boolean> {
    const { store, journal } = this.#needs;
    const batch = [...this.#waiting.entries().take(count)];
    let refused: ReadonlySet<DeliveredCursor>;
    try {
      refused = await store.save(batch.map(([, { cursor }]) => cursor));
    } catch (error) {
      journal.deliveredWaits(this.#waiting.size, error);
      return false;
    }
    this.#dropped += refused.size;
    const written: Waiting[] = [];
    for (const [key, each] of batch) {
      if (this.#waiting.get(key) === each) this.#waiting.delete(key);
      if (refused.has(each.cursor)) this.#cursors.delete(key);
      else written.push(each);
    }
    this.#tell(written);
    return true;
  }

  /** Once for each user and conversation. */
  #tell(written: readonly Waiting[]): void {
    const furthest = new Map<string, Waiting>();
    for (const each of written) {
      const { userId, conversationId, deliveredSeq } = each.cursor;
      const key = `${userId}:${conversationId}`;
      const known = furthest.get(key)?.cursor.deliveredSeq ?? this.#told.get(key) ?? 0n;
      if (deliveredSeq > known) furthest.set(key, each);
    }
    for (const [key, { log, cursor }] of furthest) {
      this.#told.set(key, cursor.deliveredSeq);
      this.#needs.moved(log, cursor.userId, cursor.deliveredSeq);
    }
  }
}
