import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import type { StatusStore, StoredStatus } from "../ports.ts";
import { Recent } from "./recent.ts";

/** What a user shows of himself now. */
export interface EffectiveStatus {
  /** ONLINE, AWAY, BUSY or INVISIBLE; undefined when it can't be read: nothing is shown then. */
  readonly status: Status | undefined;
  readonly text: string;
  /** In milliseconds since the epoch. */
  readonly lastSeenMs: number | undefined;
}

/** A status that another instance has changed is seen after this time. */
const STALE = { entries: 100_000, ms: 1_000 };

/** What users have chosen to show. */
export class Statuses {
  readonly #store: StatusStore;
  readonly #known: Recent<StoredStatus>;
  readonly #now: () => number;

  constructor(store: StatusStore, now: () => number) {
    this.#store = store;
    this.#known = new Recent(STALE, now);
    this.#now = now;
  }

  /** One for each user. Never rejects. */
  async of(userIds: readonly string[]): Promise<ReadonlyMap<string, EffectiveStatus>> {
    const found = new Map<string, StoredStatus>();
    const unknown: string[] = [];
    for (const userId of userIds) {
      const known = this.#known.get(userId);
      if (known !== undefined) found.set(userId, known.value);
      else unknown.push(userId);
    }
    if (unknown.length > 0) {
      for (const [userId, stored] of await this.#read(unknown)) found.set(userId, stored);
    }
    const nowMs = this.#now();
    return new Map([...found].map(([userId, stored]) => [userId, effective(stored, nowMs)]));
  }

  async #read(userIds: readonly string[]): Promise<ReadonlyMap<string, StoredStatus>> {
    const stored = await this.#store.read(userIds);
    for (const [userId, status] of stored) this.#known.set(userId, status);
    return stored;
  }
}

/** What a user has chosen counts until it expires; without a choice he is online. */
export function effective({ status, text, expireMs, lastSeenMs }: StoredStatus, nowMs: number): EffectiveStatus {
  const over = expireMs !== undefined && expireMs <= nowMs;
  return over ? { status: Status.ONLINE, text: "", lastSeenMs } : { status, text, lastSeenMs };
}
