import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { LoggedRecord, LogStream, RecordStore } from "../ports.ts";

/** How many records of a log the store may be behind the stream before a look-up has to wait. */
const MAX_BEHIND = 1000;
const READ_MS = 2000;

/** A message as its sender names it. */
export interface MessageKey {
  readonly logId: string;
  readonly messageId: string;
  readonly senderUserId: string;
  readonly clientMessageId: string;
}

/** Where to look for a record, and how it is recognised. */
interface Wanted {
  readonly logId: string;
  inStore(): Promise<Record | undefined>;
  inStream(logged: LoggedRecord): boolean;
}

/**
 * Looks for a message that an earlier try may have left, however long ago. The stream itself recognises repeats for a few minutes
 * only. Rejects with UNAVAILABLE when that can't be told: publishing then could store the message twice.
 */
export function findEarlier(
  stream: LogStream,
  store: RecordStore,
  { logId, messageId, senderUserId, clientMessageId }: MessageKey,
): Promise<Record | undefined> {
  return find(stream, store, {
    logId,
    inStore: () => store.message(senderUserId, clientMessageId),
    inStream: (logged) => logged.messageId === messageId,
  });
}

/** Looks for a record of a log by its id, however old it is. Rejects with UNAVAILABLE when it can't be told. */
export function findById(
  stream: LogStream,
  store: RecordStore,
  logId: string,
  recordId: string,
): Promise<Record | undefined> {
  return find(stream, store, {
    logId,
    inStore: () => store.record(recordId),
    inStream: ({ record }) => record.recordId === recordId,
  });
}

/** Looks in the store and in what the store hasn't got yet. */
async function find(
  stream: LogStream,
  store: RecordStore,
  { logId, inStore, inStream }: Wanted,
): Promise<Record | undefined> {
  // The head comes first: a record that is stored after this look lies behind it, in the stretch that is read below.
  const head = await store.head(logId);
  const stored = await inStore();
  if (stored !== undefined) return stored;
  const behind = await stream.from(logId, (head?.streamSequence ?? 0) + 1, MAX_BEHIND + 1, READ_MS);
  const found = behind.find(inStream);
  if (found === undefined && behind.length > MAX_BEHIND) {
    throw shared.unavailable("the message store is too far behind to find a message", undefined, 5000);
  }
  return found?.record;
}
