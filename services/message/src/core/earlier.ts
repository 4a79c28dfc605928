import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { LoggedRecord, LogStream, RecordStore } from "../ports.ts";

/** How many records of a log the store may be behind the stream before a look-up has to wait. */
const MAX_BEHIND = 1000;
/**
 * How far before the store's head in the stream records may still be missing in the store: several writers store a conversation's
 * records a batch at a time, and one may be ahead of another by a batch.
 */
const OUT_OF_ORDER = 2000;
const READ_MS = 2000;

/** What is looked in. */
export interface Sources {
  readonly stream: LogStream;
  readonly store: RecordStore;
}

/** A record as it is recognised when its call is repeated. */
export interface RecordKey {
  readonly logId: string;
  readonly messageId: string;
}

/** A message as its sender names it. */
export interface MessageKey extends RecordKey {
  readonly senderUserId: string;
  readonly clientMessageId: string;
}

/** Where to look for something, and how it is recognised. */
interface Wanted<T> {
  readonly logId: string;
  inStore(store: RecordStore): Promise<T | undefined>;
  inStream(logged: LoggedRecord): T | undefined;
}

/**
 * Looks for a message that an earlier try may have left, however long ago. The stream itself recognises repeats for a few minutes
 * only. Rejects with UNAVAILABLE when that can't be told: publishing then could store the message twice.
 */
export function findEarlier(
  sources: Sources,
  { logId, messageId, senderUserId, clientMessageId }: MessageKey,
): Promise<Record | undefined> {
  return find(sources, {
    logId,
    inStore: (store) => store.message(senderUserId, clientMessageId),
    inStream: (logged) => (logged.messageId === messageId ? logged.record : undefined),
  });
}

/**
 * Looks for what is neither a message nor a reaction or read cursor and was accepted under that key within 7 days; it may be of
 * another log. Rejects with UNAVAILABLE when it can't be told.
 */
export function findByKey(sources: Sources, { logId, messageId }: RecordKey): Promise<Record | undefined> {
  return find(sources, {
    logId,
    inStore: (store) => store.appended(messageId),
    inStream: (logged) => (logged.messageId === messageId ? logged.record : undefined),
  });
}

/** Looks for a record of a log by its id, however old it is. Rejects with UNAVAILABLE when it can't be told. */
export function findById(sources: Sources, logId: string, recordId: string): Promise<Record | undefined> {
  return find(sources, {
    logId,
    inStore: (store) => store.record(logId, recordId),
    inStream: ({ record }) => (record.recordId === recordId ? record : undefined),
  });
}

/** Looks for a record of a log by its place, likewise. */
export function findByPlace(sources: Sources, logId: string, seq: bigint): Promise<Record | undefined> {
  return find(sources, {
    logId,
    inStore: (store) => store.at(logId, seq),
    inStream: ({ record }) => (record.seq === seq ? record : undefined),
  });
}

/** Whether a message was taken back. Rejects with UNAVAILABLE when it can't be told. */
export async function isRecalled(sources: Sources, logId: string, seq: bigint): Promise<boolean> {
  const recalled = await find(sources, {
    logId,
    inStore: async (store) => (await store.recalled(logId, seq)) || undefined,
    inStream: ({ record: { body } }) => (body.case === "recall" && body.value.targetSeq === seq) || undefined,
  });
  return recalled === true;
}

/** Looks in the store and in what the store hasn't got yet. */
async function find<T>({ stream, store }: Sources, { logId, inStore, inStream }: Wanted<T>): Promise<T | undefined> {
  // The head comes first: a record that is stored after this look lies behind it, in the stretch that is read below.
  const head = await store.head(logId);
  const stored = await inStore(store);
  if (stored !== undefined) return stored;
  const from = Math.max(1, (head?.streamSequence ?? 0) + 1 - OUT_OF_ORDER);
  const behind = await stream.from(logId, from, MAX_BEHIND + OUT_OF_ORDER + 1, READ_MS);
  for (const logged of behind) {
    const found = inStream(logged);
    if (found !== undefined) return found;
  }
  if (behind.length > MAX_BEHIND + OUT_OF_ORDER) {
    throw shared.unavailable("the message store is too far behind to find a message", undefined, 5000);
  }
  return undefined;
}
