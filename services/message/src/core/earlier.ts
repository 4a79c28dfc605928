import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { LogStream, RecordStore } from "../ports.ts";

/** How many records of a log the store may be behind the stream before a repeat has to wait. */
const MAX_BEHIND = 1000;
const READ_MS = 2000;

/** A message as its sender names it. */
export interface MessageKey {
  readonly logId: string;
  readonly messageId: string;
  readonly senderUserId: string;
  readonly clientMessageId: string;
}

/**
 * Looks for a message that an earlier try may have left, however long ago: in the store and in what the store hasn't got yet. The
 * stream itself recognises repeats for a few minutes only. Rejects with UNAVAILABLE when that can't be told: publishing then could
 * store the message twice.
 */
export async function findEarlier(
  stream: LogStream,
  store: RecordStore,
  { logId, messageId, senderUserId, clientMessageId }: MessageKey,
): Promise<Record | undefined> {
  // The head comes first: a record that is stored after this look lies behind it, in the stretch that is read below.
  const head = await store.head(logId);
  const stored = await store.message(senderUserId, clientMessageId);
  if (stored !== undefined) return stored;
  const behind = await stream.from(logId, (head?.streamSequence ?? 0) + 1, MAX_BEHIND + 1, READ_MS);
  const found = behind.find((logged) => logged.messageId === messageId);
  if (found === undefined && behind.length > MAX_BEHIND) {
    throw shared.unavailable("the message store is too far behind to recognise a repeat", undefined, 5000);
  }
  return found?.record;
}
