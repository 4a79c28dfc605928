import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import type { StatusStore, StoredStatus } from "../ports.ts";
import { Recent } from "./recent.ts";

/** What a user shows of himself now. */
export interface EffectiveStatus {
  /** ONLINE, AWAY, BUSY or INVISIBLE. */
  readonly status: Status;
  readonly text: string;
  /** In milliseconds since the epoch. */
  readonly lastSeenMs: number | undefined;
}

/** A status that another instance has changed is seen after this time. */
const STALE = { entries: 100_000, ms: 1_000 };
/** After a failure the store is left alone for this long: whoever asks would wait for it. */
const PAUSE_MS = 1_000;

/** What users have chosen to show. */
export class Statuses {
  readonly #store: Pick<StatusStore, "read">;
  readonly #known: Recent<StoredStatus>;
  readonly #now: () => number;
  readonly #unreadable: (error: unknown) => void;
  #pausedUntilMs = 0;

  constructor(store: Pick<StatusStore, "read">, now: () => number, unreadable: (error: unknown) => void) {
    this.#store = store;
    this.#known = new Recent(STALE, now);
    this.#now = now;
    this.#unreadable = unreadable;
  }

  /**
   * What users show, `fresh` from the store or as it was a moment ago. Those of whom it can't be read are left out, and so look
   * offline. Never rejects.
   */
  async of(userIds: readonly string[], fresh = false): Promise<ReadonlyMap<string, EffectiveStatus>> {
    const found = new Map<string, StoredStatus>();
    const unknown: string[] = [];
    for (const userId of userIds) {
      const known = fresh ? undefined : this.#known.get(userId);
      if (known !== undefined) found.set(userId, known.value);
      else unknown.push(userId);
    }
    for (const [userId, stored] of await this.#read(unknown)) found.set(userId, stored);
    const nowMs = this.#now();
    return new Map([...found].map(([userId, stored]) => [userId, effective(stored, nowMs)]));
  }

  /** This instance has changed it. */
  changed(userId: string, stored: StoredStatus): void {
    this.#known.set(userId, stored);
  }

  /** It is to be read again. */
  forget(userId: string): void {
    this.#known.delete(userId);
  }

  async #read(userIds: readonly string[]): Promise<ReadonlyMap<string, StoredStatus>> {
    if (userIds.length === 0 || this.#pausedUntilMs > this.#now()) return new Map();
    try {
      const stored = await this.#store.read(userIds);
      for (const [userId, status] of stored) this.#known.set(userId, status);
      return stored;
    } catch (error) {
      this.#pausedUntilMs = this.#now() + PAUSE_MS;
      this.#unreadable(error);
      return new Map();
    }
  }
}

/** What a user has chosen counts until it expires; without a choice he is online. */
export function effective({ status, text, expireMs, lastSeenMs }: StoredStatus, atMs: number): EffectiveStatus {
  const over = expireMs !== undefined && expireMs <= atMs;
  return over ? { status: Status.ONLINE, text: "", lastSeenMs } : { status, text, lastSeenMs };
}

/** Whether a user showed himself at a time. */
export const visibleAt = (stored: StoredStatus, atMs: number) => effective(stored, atMs).status !== Status.INVISIBLE;
