import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { StoredUpTo } from "../../src/core/stored-up-to.ts";
import type {
  Patience,
  PlacedRecord,
  RecordLog,
  RecordStore,
  RecordTail,
  StoredHead,
  UserStretch,
} from "../../src/ports.ts";
import { storedChanges } from "./model.ts";

/** What a store and a log hold of one log, at one moment. */
export interface Held {
  readonly records: readonly LogRecord[];
  /** Which of them are stored. */
  isStored(seq: bigint): boolean;
  /** Of which the effects are stored: the writer applies what a record changes before it stores the record. Default: the stored. */
  isApplied?(seq: bigint): boolean;
  /** The head that the store knows. */
  readonly headSeq: bigint;
  /** Which of them the log still holds; default all. */
  isLogged?(seq: bigint): boolean;
  /** Which the tail holds; default none. */
  isInTail?(seq: bigint): boolean;
  /** Whether the store answers; default yes. */
  readonly storeAway?: boolean;
}

/** Waits for every read. */
export const patient: Patience = {
  async attempt(read) {
    try {
      return { inTime: true, value: await read() };
    } catch (error) {
      return { inTime: false, whenThere: () => Promise.reject(error) };
    }
  },
};

/** Without a tail, and with patience. */
export const noTail = { tail: { from: async () => [] } satisfies RecordTail, patience: patient };

const placed = (record: LogRecord): PlacedRecord => ({ record, streamSequence: Number(record.seq) * 10 });
const within = ({ fromSeq, toSeq, limit }: UserStretch, seqs: readonly bigint[], limited = limit) =>
  seqs.filter((seq) => seq >= fromSeq && seq <= toSeq).slice(0, limited);

/** Stores and logs of several conversations, as the writer may leave them at any moment. */
export function tiersOf(of: (conversationId: string) => Held) {
  const store = storeOf(of);
  const last = async (id: string) =>
    of(id)
      .records.filter(inLog(of(id)))
      .map(placed)
      .at(-1);
  const log: RecordLog = {
    last,
    async lastOf(ids) {
      const found = await Promise.all(ids.map(async (id) => [id, await last(id)] as const));
      return new Map(found.flatMap(([id, record]) => (record === undefined ? [] : [[id, record]])));
    },
    from: async (id, sequence, limit) => {
      const records = of(id)
        .records.filter(inLog(of(id)))
        .map(placed);
      return records.filter(({ streamSequence }) => streamSequence >= sequence).slice(0, limit);
    },
  };
  const tail: RecordTail = {
    from: async (id, fromSeq) => {
      const { records, isInTail = () => false } = of(id);
      return records.filter(({ seq }) => seq >= fromSeq && isInTail(seq)).map(placed);
    },
  };
  return { store, log, tail, patience: patient, storedUpTo: new StoredUpTo(10) };
}

/** The same with one log, whatever conversation is asked for. */
export const sourcesOf = (
  records: readonly LogRecord[],
  isStored: (seq: bigint) => boolean,
  headSeq: bigint,
  isLogged: (seq: bigint) => boolean = () => true,
) => tiersOf(() => ({ records, isStored, headSeq, isLogged }));

const inLog =
  ({ isLogged }: Held) =>
  ({ seq }: LogRecord) =>
    isLogged === undefined || isLogged(seq);

function storeOf(of: (id: string) => Held): RecordStore {
  const storedOf = (id: string) => {
    if (of(id).storeAway) throw shared.unavailable("the store is away");
    return of(id).records.filter(({ seq }) => of(id).isStored(seq));
  };
  return {
    search: async () => [],
    range: async (id, from, to) =>
      storedOf(id)
        .filter(({ seq }) => seq >= from && seq <= to)
        .map(placed),
    storedSeqs: async (id, from, to) =>
      storedOf(id)
        .map(({ seq }) => seq)
        .filter((seq) => seq >= from && seq <= to),
    streamSequenceBefore: async (id, before) => {
      const last = storedOf(id).findLast(({ seq }) => seq < before);
      return last && placed(last).streamSequence;
    },
    async changes(id, seqs) {
      const stored = storedOf(id);
      const { isApplied } = of(id);
      const applied = isApplied === undefined ? stored : of(id).records.filter(({ seq }) => isApplied(seq));
      const { states, reactions } = storedChanges(applied);
      return {
        states: states.filter(({ seq }) => seqs.includes(seq)),
        reactions: reactions.filter(({ targetSeq }) => seqs.includes(targetSeq)),
      };
    },
    heads: async (ids) => new Map(ids.flatMap((id) => headEntry(id, of(id), storedOf(id)))),
    lastTimesOf: async () => new Map(),
    directConversations: async () => [],
    readSeqsOf: async () => new Map(),
    readSeqsIn: async () => new Map(),
    deliveredSeqsIn: async () => new Map(),
    countReaders: async () => 0,
    settingsOf: async () => new Map(),
    ...countsOf(storedOf),
  };
}

function headEntry(id: string, { headSeq }: Held, stored: readonly LogRecord[]): [string, StoredHead][] {
  if (headSeq === 0n) return [];
  const recalled = stored.flatMap(({ body }) => (body.case === "recall" ? [body.value.targetSeq] : []));
  const toAll = stored.filter(({ body }) => body.case === "message" && body.value.mentionsAll).map(({ seq }) => seq);
  const highest = (seqs: readonly bigint[]) => seqs.reduce((high, seq) => (seq > high ? seq : high), 0n);
  const head = {
    seq: headSeq,
    lastTimeMs: 1_700_000_000_000 + Number(headSeq),
    streamSequence: Number(headSeq) * 10,
    lastRecord: stored.find(({ seq }) => seq === headSeq),
    lastRecalledSeq: highest(recalled),
    lastMentionAllSeq: highest(toAll),
    archivedSeq: 0n,
  };
  return [[id, head]];
}

type Counts = Pick<RecordStore, "countMessages" | "recalledIn" | "namedIn" | "mentionsAllIn" | "countOfOthers">;

function countsOf(storedOf: (id: string) => LogRecord[]): Counts {
  const messages = (id: string) => storedOf(id).filter(({ body }) => body.case === "message");
  const ofOthers = (id: string, userId: string) => messages(id).filter(({ senderUserId }) => senderUserId !== userId);
  const seqsOf = (records: readonly LogRecord[]) => records.map(({ seq }) => seq);
  return {
    async countMessages(stretch, except) {
      const seqs = seqsOf(ofOthers(stretch.conversationId, stretch.userId));
      return within(
        stretch,
        seqs.filter((seq) => !except.includes(seq)),
      ).length;
    },
    async recalledIn(stretch) {
      const bodies = storedOf(stretch.conversationId).map(({ body }) => body);
      const targets = bodies.flatMap((body) => (body.case === "recall" ? [body.value.targetSeq] : []));
      return within(stretch, [...new Set(targets)], 1000);
    },
    async namedIn(stretch) {
      const { userId, conversationId } = stretch;
      const named = messages(conversationId).filter(
        ({ body }) => body.case === "message" && body.value.mentions.includes(userId),
      );
      return within(stretch, seqsOf(named));
    },
    async mentionsAllIn(stretch) {
      const toAll = messages(stretch.conversationId).filter(
        ({ body }) => body.case === "message" && body.value.mentionsAll,
      );
      return within(stretch, seqsOf(toAll));
    },
    countOfOthers: async (id, userId, seqs) => seqsOf(ofOthers(id, userId)).filter((seq) => seqs.includes(seq)).length,
  };
}
