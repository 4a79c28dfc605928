import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Head, PlacedRecord, StoredHead } from "../ports.ts";
import type { Sources } from "./merge.ts";

/** The end of a log, from whoever knows the newest. */
export interface KnownHead extends Head {
  /** Where its record lies in the stream, or before. */
  readonly streamSequence: number;
  /** Its record; undefined where it has to be read. */
  readonly record: LogRecord | undefined;
  /** Whether the log itself still holds the record. */
  readonly inLog: boolean;
  /** What the store says; undefined when it says nothing, or wasn't asked. */
  readonly stored: StoredHead | undefined;
}

/** Of a conversation in which nothing has happened. */
const NOTHING: KnownHead = {
  seq: 0n,
  lastTimeMs: 0,
  streamSequence: 0,
  record: undefined,
  inLog: false,
  stored: undefined,
};

/** The head as the log knows it; as the store does when the log holds nothing of the conversation any more. */
export async function headOf({ store, log }: Sources, conversationId: string): Promise<KnownHead> {
  const last = await log.last(conversationId);
  if (last !== undefined) return newest(last, undefined);
  return newest(undefined, (await store.heads([conversationId])).get(conversationId));
}

/**
 * The heads of conversations, in a few requests however many. `ahead` names those whose log may be ahead of the store; without it
 * the log is asked for all.
 */
export async function headsOf(
  { store, log }: Sources,
  conversationIds: readonly string[],
  ahead: ReadonlySet<string> | undefined,
): Promise<(conversationId: string) => KnownHead> {
  const asked = ahead === undefined ? conversationIds : conversationIds.filter((each) => ahead.has(each));
  const [stored, logged] = await Promise.all([
    store.heads(conversationIds),
    asked.length === 0 ? new Map<string, PlacedRecord>() : log.lastOf(asked),
  ]);
  return (conversationId) => newest(logged.get(conversationId), stored.get(conversationId));
}

function newest(logged: PlacedRecord | undefined, stored: StoredHead | undefined): KnownHead {
  if (logged !== undefined && logged.record.seq >= (stored?.seq ?? 0n)) {
    const { record, streamSequence } = logged;
    return { seq: record.seq, lastTimeMs: timeOf(record), streamSequence, record, inLog: true, stored };
  }
  if (stored === undefined) return NOTHING;
  const { seq, lastTimeMs, streamSequence, lastRecord: record } = stored;
  return { seq, lastTimeMs, streamSequence, record, inLog: logged !== undefined, stored };
}

/** When a record was accepted, in milliseconds since the epoch. */
export function timeOf({ acceptedTime }: LogRecord): number {
  return Number(acceptedTime?.seconds ?? 0n) * 1000 + Math.floor((acceptedTime?.nanos ?? 0) / 1e6);
}
