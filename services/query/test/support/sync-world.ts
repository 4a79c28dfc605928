import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { ListingSources } from "../../src/core/lists.ts";
import { RecentMoves } from "../../src/core/recent-moves.ts";
import { byPlace } from "../../src/core/sync/choose.ts";
import type { SyncSources } from "../../src/core/sync.ts";
import type { Membership, MoveStore, PlacedLog, RecentLogs } from "../../src/ports/moves.ts";
import type { Interval, ListedConversation } from "../../src/ports.ts";

const uuid = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
export const ME = uuid(1);
export const directWith = (n: number): string => `d_${ME}_${uuid(1000 + n)}`;
export const groupNo = (n: number): string => uuid(900_000 + n);

interface Entry {
  readonly logId: string;
  readonly seq: bigint;
  readonly streamSequence: number;
  readonly timeMs: number;
}

/**
 * A log, a store that is behind it, a writer's floor that is behind the store, and a user with his groups. `disturb` runs
 * between any two steps of a call.
 */
export class SyncWorld {
  nowMs = 1_700_000_000_000;
  createdMs = 1;
  lastSequence = 0;
  /** The store has everything up to here. */
  stored = 0;
  /** The writer has acknowledged everything up to here. */
  floor = 0;
  disturb: () => void = () => undefined;
  /** Whose records a call was asked to describe. */
  readonly described: string[] = [];
  #entries: Entry[] = [];
  readonly #seqs = new Map<string, bigint>();
  /** What the store keeps of an earlier log. */
  readonly #earlier = new Map<string, Entry>();
  readonly #recent: RecentMoves;
  readonly memberships = new Map<string, Membership & { readonly endTimeMs?: number }>();

  constructor(recentLogs = 10_000) {
    this.#recent = new RecentMoves(recentLogs);
  }

  append(logId: string): bigint {
    const seq = this.headSeq(logId) + 1n;
    this.#seqs.set(logId, seq);
    this.#entries.push({ logId, seq, streamSequence: ++this.lastSequence, timeMs: this.nowMs });
    this.#recent.note(logId, this.lastSequence);
    return seq;
  }

  headSeq(logId: string): bigint {
    return this.#seqs.get(logId) ?? 0n;
  }

  logIds(): string[] {
    return [...this.#seqs.keys()];
  }

  /** The store and the writer's floor go on. */
  write(upTo = this.lastSequence, floor = upTo): void {
    this.stored = Math.max(this.stored, upTo);
    this.floor = Math.max(this.floor, floor);
    this.#recent.forget(this.floor, 1_000_000);
  }

  join(group: string): void {
    const fromSeq = this.append(`g_${group}`);
    this.memberships.set(group, { groupId: group, fromSeq, toSeq: undefined, joinTimeMs: this.nowMs });
  }

  leave(group: string): void {
    const membership = this.memberships.get(group);
    if (membership === undefined) return;
    this.memberships.set(group, { ...membership, toSeq: this.append(`g_${group}`), endTimeMs: this.nowMs });
  }

  /** The log is set up anew; the store keeps what it has, and sequences there only rise. */
  renew(): void {
    this.write();
    for (const entry of this.#entries) {
      if ((this.#earlier.get(entry.logId)?.streamSequence ?? 0) < entry.streamSequence)
        this.#earlier.set(entry.logId, entry);
    }
    this.#entries = [];
    this.createdMs++;
    this.lastSequence = 0;
    this.stored = 0;
    this.floor = 0;
    this.#recent.clear();
  }

  /** What the store knows of a log's last record. */
  #placeOf(logId: string): (PlacedLog & { readonly lastTimeMs: number }) | undefined {
    const last = this.#entries.findLast((each) => each.logId === logId && each.streamSequence <= this.stored);
    const before = this.#earlier.get(logId);
    const streamSequence = Math.max(last?.streamSequence ?? 0, before?.streamSequence ?? 0);
    const written = this.#entries.filter((each) => each.logId === logId && each.streamSequence <= this.stored);
    const lastTimeMs = Math.max(before?.timeMs ?? 0, ...written.map(({ timeMs }) => timeMs));
    return streamSequence === 0 ? undefined : { logId, streamSequence, lastTimeMs };
  }

  /** Of several logs that were there one after another the last one's. */
  #storedHead(logId: string): [string, { seq: bigint; streamSequence: number; lastTimeMs: number }][] {
    const last = this.#entries.findLast((each) => each.logId === logId && each.streamSequence <= this.stored);
    const stored = last ?? this.#earlier.get(logId);
    if (stored === undefined) return [];
    return [[logId, { seq: stored.seq, streamSequence: stored.streamSequence, lastTimeMs: 0 }]];
  }

  #direct(): (PlacedLog & { readonly lastTimeMs: number })[] {
    const ids = this.logIds().filter((logId) => logId.startsWith("d_"));
    return ids.flatMap((logId) => this.#placeOf(logId) ?? []);
  }

  readonly moves: MoveStore = {
    directMoved: async (_userId, since, after, limit) => {
      this.disturb();
      const found = this.#direct()
        .filter(({ streamSequence }) => since === undefined || streamSequence > since.streamSequence)
        .filter(({ lastTimeMs }) => since === undefined || lastTimeMs >= since.timeMs)
        .filter((each) => after === undefined || byPlace(after, each) < 0);
      return found.sort(byPlace).slice(0, limit);
    },
    directAbove: async (_userId, place, limit) => {
      this.disturb();
      const found = this.#direct().filter((each) => byPlace(each, place) < 0);
      return found.sort((a, b) => byPlace(b, a)).slice(0, limit);
    },
    directPlaces: async (_userId, conversationIds) => {
      this.disturb();
      return conversationIds.flatMap((logId) => this.#placeOf(logId) ?? []);
    },
    placesOf: async (logIds) => {
      this.disturb();
      return new Map(
        logIds.flatMap((logId) => {
          const place = this.#placeOf(logId);
          return place === undefined ? [] : [[logId, place] as const];
        }),
      );
    },
  };

  readonly recent: RecentLogs = {
    position: async () => ({ lastSequence: this.lastSequence, createdMs: this.createdMs }),
    caughtUp: async () => {
      const end = { lastSequence: this.lastSequence, createdMs: this.createdMs };
      return {
        end,
        aheadOf: (logIds) => this.#recent.aheadOf(logIds),
        directOf: (userId) => this.#recent.directOf(userId),
        storedUpTo: () => this.floor,
      };
    },
  };

  sources(cursorMaxAgeMs = 90 * 86_400_000): SyncSources {
    const recordOf = ({ logId, seq }: Pick<Entry, "logId" | "seq">): LogRecord =>
      create(RecordSchema, { conversationId: logId, seq, acceptedTime: timestampFromMs(this.nowMs) });
    const allOf = (logId: string) =>
      Array.from({ length: Number(this.headSeq(logId)) }, (_, i) => recordOf({ logId, seq: BigInt(i + 1) }));
    const placedOf = (logId: string) =>
      this.#entries.filter((each) => each.logId === logId).map((each) => ({ ...each, record: recordOf(each) }));
    return {
      moves: this.moves,
      recent: this.recent,
      peers: {
        memberships: async (_userId, leftSinceMs) => {
          this.disturb();
          const since = leftSinceMs ?? Number.POSITIVE_INFINITY;
          return [...this.memberships.values()].filter(
            ({ endTimeMs }) => endTimeMs === undefined || endTimeMs >= since,
          );
        },
      },
      describe: async (_userId, candidates) => {
        this.disturb();
        return candidates.map(({ conversationId, intervals, left = false }) => {
          this.described.push(conversationId);
          return { conversationId, left, ...this.#shown(conversationId, intervals, recordOf) };
        });
      },
      now: () => this.nowMs,
      cursorMaxAgeMs,
      log: {
        last: async (logId) => placedOf(logId).at(-1),
        lastOf: async () => new Map(),
        from: async (logId, streamSequence, limit) =>
          placedOf(logId)
            .filter((each) => each.streamSequence >= streamSequence)
            .slice(0, limit),
      },
      store: {
        range: async (logId: string, from: bigint, to: bigint) =>
          allOf(logId)
            .filter(({ seq }) => seq >= from && seq <= to)
            .map((record) => ({ record, streamSequence: 0 })),
        heads: async (logIds: readonly string[]) => {
          this.disturb();
          return new Map(logIds.flatMap((logId) => this.#storedHead(logId)));
        },
      } as object as SyncSources["store"],
    };
  }

  /** What ListConversations reads, besides. */
  listing(): ListingSources {
    const byTime = (a: ListedConversation, b: ListedConversation) =>
      b.lastTimeMs - a.lastTimeMs ||
      (a.conversationId < b.conversationId ? 1 : Number(a.conversationId === b.conversationId) - 1);
    const listed = ({ logId, lastTimeMs }: { logId: string; lastTimeMs: number }) => ({
      conversationId: logId,
      lastTimeMs,
    });
    const lastOf: ListingSources["log"]["lastOf"] = async (logIds) => {
      this.disturb();
      const last = logIds.flatMap((logId) => this.#entries.findLast((each) => each.logId === logId) ?? []);
      const record = ({ logId, seq, timeMs }: Entry) =>
        create(RecordSchema, { conversationId: logId, seq, acceptedTime: timestampFromMs(timeMs) });
      return new Map(last.map((each) => [each.logId, { record: record(each), streamSequence: each.streamSequence }]));
    };
    return {
      ...this.sources(),
      log: { lastOf },
      store: {
        directConversations: async (_userId, after, limit) => {
          this.disturb();
          const all = this.#direct().map(listed).sort(byTime);
          return all.filter((each) => after === undefined || byTime(after, each) < 0).slice(0, limit);
        },
        lastTimesOf: async (logIds) => {
          this.disturb();
          return new Map(logIds.map((logId) => [logId, this.#placeOf(logId)?.lastTimeMs ?? 0]));
        },
      },
    };
  }

  #shown(logId: string, intervals: readonly Interval[], recordOf: (entry: Pick<Entry, "logId" | "seq">) => LogRecord) {
    const headSeq = this.headSeq(logId);
    const toSeq = intervals.at(-1)?.toSeq;
    const seq = toSeq !== undefined && toSeq < headSeq ? toSeq : headSeq;
    return {
      headSeq: seq,
      firstSeq: intervals[0]?.fromSeq ?? 0n,
      lastTime: timestampFromMs(this.nowMs),
      lastRecord: recordOf({ logId, seq }),
    };
  }
}
